//! The secrets that the tests put somewhere.

/// A secret that no output may show.
#[derive(Clone, Debug)]
pub(super) struct Canary {
    /// The place that it was put in.
    pub(super) place: String,
    pub(super) value: String,
    /// Set if its first letters are its own, not those of all its kind.
    pub(super) begins_alone: bool,
}

/// The secrets of one world.
#[derive(Debug)]
pub(super) struct Canaries {
    random: fastrand::Rng,
    all: Vec<Canary>,
}

impl Canaries {
    pub(super) fn new() -> Self {
        Self { random: fastrand::Rng::with_seed(0x5EC2E7), all: Vec::new() }
    }

    /// Makes a secret of letters, as a person chooses it. Nothing but its place says that it is one.
    pub(super) fn word(&mut self, place: &str) -> String {
        let mut pick = |letters: &[u8]| char::from(letters[self.random.usize(..letters.len())]);
        let value: String = (0..20).flat_map(|_| [pick(b"bcdfghjklmnprstvwz"), pick(b"aeiou")]).collect();
        self.keep(place, value, true)
    }

    /// Makes a secret that looks random, as a generator of passwords does.
    pub(super) fn random(&mut self, place: &str) -> String {
        let mut pick = |letters: &[u8]| char::from(letters[self.random.usize(..letters.len())]);
        let value = (0..8).flat_map(|_| [pick(b"bcdfghjkmnpq"), pick(b"ABCDEFGHJKLMN"), pick(b"23456789")]);
        let value = value.collect();
        self.keep(place, value, true)
    }

    /// Makes a secret of digits, which a document may hold as a number.
    pub(super) fn number(&mut self, place: &str) -> String {
        let value = self.random.u64(1_000_000_000_000_000_000..9_000_000_000_000_000_000).to_string();
        self.keep(place, value, true)
    }

    /// Adds a secret that another program made. Its first letters may be those of all its kind.
    pub(super) fn token(&mut self, place: &str, value: &str) {
        self.keep(place, value.to_owned(), false);
    }

    fn keep(&mut self, place: &str, value: String, begins_alone: bool) -> String {
        assert!(value.len() >= 16, "{place}: too short to be found for sure");
        self.all.push(Canary { place: place.to_owned(), value: value.clone(), begins_alone });
        value
    }

    pub(super) fn all(&self) -> &[Canary] {
        &self.all
    }

    /// Returns the place of a secret.
    pub(super) fn place_of(&self, value: &str) -> Option<&str> {
        self.all.iter().find(|canary| canary.value == value).map(|canary| canary.place.as_str())
    }
}
