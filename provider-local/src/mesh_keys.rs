//! The keys of the local meshes.

use std::collections::HashMap;
use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use provider_api::{Error, InvalidSettings, MeshDefinition, MeshIdentity, MeshKeys, Result, Secret};

/// The lengths of an RSA modulus in bytes that aws-lc supports. It parses other keys, but then every verification
/// fails.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The parsed keys of the local meshes, by name of the mesh.
pub(crate) struct Keyring(HashMap<String, MeshKey>);

/// The keys of one mesh, with their algorithm. The `alg` of a token does not choose the algorithm: with that choice an
/// attacker could sign with the public key as an HMAC secret.
pub(crate) struct MeshKey {
    pub(crate) identity: MeshIdentity,
    /// Set if the tokens must have the claim `aud`.
    pub(crate) token_audience: bool,
    pub(crate) algorithm: Algorithm,
    pub(crate) signing: Option<EncodingKey>,
    pub(crate) verifying: Option<DecodingKey>,
    pub(crate) validation: Validation,
}

impl Keyring {
    /// Parses the keys of every local mesh.
    ///
    /// # Errors
    /// Every key that cannot be used, with its key in the configuration.
    pub(crate) fn new(meshes: &[MeshDefinition]) -> Result<Self, InvalidSettings> {
        let (mut keys, mut errors) = (HashMap::new(), Vec::new());
        for mesh in meshes.iter().filter(|mesh| mesh.provider.is_local()) {
            let Some(given) = &mesh.keys else { continue };
            let name = &mesh.identity.name;
            match MeshKey::new(mesh, given) {
                // With either of the two, a token of one mesh would be accepted for the other.
                Ok(_) if keys.contains_key(name) => {
                    let error = Error::invalid(format!("two meshes have the name `{name}`"));
                    errors.push(error.with_key(format!("mesh.{name}")));
                }
                Ok(key) => drop(keys.insert(name.clone(), key)),
                Err(error) => errors.push(error),
            }
        }
        InvalidSettings::of(errors).map_or(Ok(Self(keys)), Err)
    }

    /// Returns the keys of a mesh. Name and id must match: the same name with another id is another mesh.
    pub(crate) fn get(&self, mesh: &MeshIdentity) -> Option<&MeshKey> {
        self.0.get(&mesh.name).filter(|key| key.identity == *mesh)
    }
}

impl MeshKey {
    fn new(definition: &MeshDefinition, keys: &MeshKeys) -> Result<Self> {
        let mesh = &definition.identity.name;
        let (algorithm, signing, verifying) = match keys {
            MeshKeys::Shared(secret) => {
                let secret = shared_secret(mesh, secret)?;
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
                private_pem.as_ref().map(|pem| private_key(mesh, pem)).transpose()?,
                public_pem.as_ref().map(|pem| public_key(mesh, pem)).transpose()?,
            ),
        };
        Ok(Self {
            identity: definition.identity.clone(),
            token_audience: definition.token_audience,
            algorithm,
            signing,
            verifying,
            validation: validation(algorithm),
        })
    }
}

/// Returns the rules for jsonwebtoken: the signature and the algorithm. The claims are checked in `verify`, since
/// jsonwebtoken reads the clock of the machine instead of the provider's, and supports neither `iat` nor `mesh_id` nor
/// an audience that is a URL prefix.
fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

/// Checks a shared secret.
fn shared_secret<'a>(mesh: &str, secret: &'a Secret) -> Result<&'a [u8]> {
    match secret.expose().trim().is_empty() {
        true => Err(Error::invalid(format!("mesh `{mesh}`: jwt_secret is blank"))
            .with_key(format!("mesh.{mesh}.jwt_secret"))),
        false => Ok(secret.expose().as_bytes()),
    }
}

/// Parses a private key. `EncodingKey::from_rsa_pem` accepts public keys and garbage in the right envelope as well.
/// Deriving the public key proves that the key is private, complete and of a size that can sign.
fn private_key(mesh: &str, pem: &Secret) -> Result<EncodingKey> {
    EncodingKey::from_rsa_pem(pem.expose().as_bytes())
        .and_then(|key| Jwk::from_encoding_key(&key, Algorithm::RS256).map(|_| key))
        .map_err(|error| {
            Error::invalid(format!(
                "mesh `{mesh}`: the file of jwt_private_key_path is not an unencrypted RSA private key of 2048 to \
                 8192 bits in PEM"
            ))
            .with_key(format!("mesh.{mesh}.jwt_private_key_path"))
            .with_source(error)
        })
}

/// Parses a public key. `DecodingKey::from_rsa_pem` accepts a private key as well, and then every verification fails.
fn public_key(mesh: &str, pem: &str) -> Result<DecodingKey> {
    let invalid = || {
        Error::invalid(format!(
            "mesh `{mesh}`: the file of jwt_public_key_path is not an RSA public key of 2048 to 8192 bits in PEM"
        ))
        .with_key(format!("mesh.{mesh}.jwt_public_key_path"))
    };
    let (key, parts) = DecodingKey::from_rsa_pem(pem.as_bytes())
        .and_then(|key| Jwk::from_decoding_key(&key, None).map(|parts| (key, parts)))
        .map_err(|error| invalid().with_source(error))?;
    match parts.algorithm {
        // The modulus is in base64 without padding: four characters for three bytes.
        AlgorithmParameters::RSA(rsa) if RSA_MODULUS_BYTES.contains(&(rsa.n.len() * 3 / 4)) => Ok(key),
        _ => Err(invalid()),
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
