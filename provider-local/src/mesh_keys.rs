use std::collections::HashMap;
use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use provider_api::{Error, InvalidSettings, MeshDefinition, MeshIdentity, MeshKeys, Result, Secret};

/// The moduli, in bytes, that aws-lc verifies with. A key outside could be parsed and would refuse every token.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The keys of the local meshes by name, parsed once.
pub(crate) struct Keyring(HashMap<String, MeshKey>);

/// The keys of one mesh. They pin the algorithm; no token is asked for it.
pub(crate) struct MeshKey {
    pub(crate) identity: MeshIdentity,
    pub(crate) algorithm: Algorithm,
    pub(crate) signing: Option<EncodingKey>,
    pub(crate) verifying: Option<DecodingKey>,
    pub(crate) validation: Validation,
}

impl Keyring {
    /// Parses the keys of every local mesh.
    ///
    /// # Errors
    /// Every key that cannot be used, with the key of the configuration that names it.
    pub(crate) fn new(meshes: &[MeshDefinition]) -> Result<Self, InvalidSettings> {
        let (mut keys, mut errors) = (HashMap::new(), Vec::new());
        for mesh in meshes.iter().filter(|mesh| mesh.provider.is_local()) {
            let Some(given) = &mesh.keys else { continue };
            let name = &mesh.identity.name;
            match MeshKey::new(&mesh.identity, given) {
                // Taking either would let the keys of one mesh open the other.
                Ok(_) if keys.contains_key(name) => {
                    let error = Error::invalid(format!("two meshes are called `{name}`"));
                    errors.push(error.with_key(format!("mesh.{name}")));
                }
                Ok(key) => drop(keys.insert(name.clone(), key)),
                Err(error) => errors.push(error),
            }
        }
        InvalidSettings::of(errors).map_or(Ok(Self(keys)), Err)
    }

    /// The keys of exactly this mesh: one of the same name with another id is another mesh.
    pub(crate) fn get(&self, mesh: &MeshIdentity) -> Option<&MeshKey> {
        self.0.get(&mesh.name).filter(|key| key.identity == *mesh)
    }
}

impl MeshKey {
    fn new(identity: &MeshIdentity, keys: &MeshKeys) -> Result<Self> {
        let mesh = &identity.name;
        let (algorithm, signing, verifying) = match keys {
            MeshKeys::Shared(secret) => {
                let secret = shared(mesh, secret)?;
                let (signing, verifying) =
                    (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
                (Algorithm::HS256, Some(signing), Some(verifying))
            }
            MeshKeys::Rsa { private_pem: None, public_pem: None } => {
                let message = format!(
                    "mesh `{mesh}` has neither a jwt_secret nor a jwt_private_key_path nor a jwt_public_key_path"
                );
                return Err(Error::invalid(message).with_key(format!("mesh.{mesh}")));
            }
            MeshKeys::Rsa { private_pem, public_pem } => (
                Algorithm::RS256,
                private_pem.as_ref().map(|pem| private(mesh, pem)).transpose()?,
                public_pem.as_ref().map(|pem| public(mesh, pem)).transpose()?,
            ),
        };
        Ok(Self { identity: identity.clone(), algorithm, signing, verifying, validation: only(algorithm) })
    }
}

/// Signature and algorithm are jsonwebtoken's to check, the claims are ours: it reads the machine's clock
/// instead of the one it is given, and knows neither `iat` nor `mesh_id` nor an audience that is a prefix.
fn only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

fn shared<'a>(mesh: &str, secret: &'a Secret) -> Result<&'a [u8]> {
    match secret.expose().trim().is_empty() {
        true => Err(Error::invalid(format!("mesh `{mesh}`: jwt_secret is blank"))
            .with_key(format!("mesh.{mesh}.jwt_secret"))),
        false => Ok(secret.expose().as_bytes()),
    }
}

/// `EncodingKey::from_rsa_pem` takes public keys and garbage in the right envelope as well; deriving the
/// public half is what shows that the key is private, whole and of a size that can sign.
fn private(mesh: &str, pem: &Secret) -> Result<EncodingKey> {
    EncodingKey::from_rsa_pem(pem.expose().as_bytes())
        .and_then(|key| Jwk::from_encoding_key(&key, Algorithm::RS256).map(|_| key))
        .map_err(|error| {
            Error::invalid(format!(
                "mesh `{mesh}`: what jwt_private_key_path names is no RSA private key of 2048 to 8192 bits \
                 in PEM, unencrypted"
            ))
            .with_key(format!("mesh.{mesh}.jwt_private_key_path"))
            .with_source(error)
        })
}

/// As for [`private`]: `DecodingKey::from_rsa_pem` takes a private key without a word and then refuses all tokens.
fn public(mesh: &str, pem: &str) -> Result<DecodingKey> {
    let refusal = || {
        Error::invalid(format!(
            "mesh `{mesh}`: what jwt_public_key_path names is no RSA public key of 2048 to 8192 bits in PEM"
        ))
        .with_key(format!("mesh.{mesh}.jwt_public_key_path"))
    };
    let (key, parts) = DecodingKey::from_rsa_pem(pem.as_bytes())
        .and_then(|key| Jwk::from_decoding_key(&key, None).map(|parts| (key, parts)))
        .map_err(|error| refusal().with_source(error))?;
    match parts.algorithm {
        // Base64 without padding: four characters stand for three bytes.
        AlgorithmParameters::RSA(rsa) if RSA_MODULUS_BYTES.contains(&(rsa.n.len() * 3 / 4)) => Ok(key),
        _ => Err(refusal()),
    }
}

impl fmt::Debug for MeshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshKey")
            .field("identity", &self.identity)
            .field("algorithm", &self.algorithm)
            .field("signs", &self.signing.is_some())
            .field("verifies", &self.verifying.is_some())
            .finish()
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.values()).finish()
    }
}
