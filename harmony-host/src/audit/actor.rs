//! The actors: who caused what happens to a gateway.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The user, program or service that caused an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Actor {
    /// The gateway itself.
    Gateway,
    /// The application that embeds the host.
    Application,
    /// A signal to the process, by its name.
    Signal {
        /// The name, such as `SIGHUP`.
        name: String,
    },
    /// The owners of the files that were edited.
    Owner {
        /// The names of the users, or their numbers.
        users: Vec<String>,
    },
    /// A client of the management API.
    Peer {
        /// The address of the connection.
        address: SocketAddr,
        /// The user whose process has the other end of the connection, where it is on this machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid: Option<u32>,
        /// The name of that user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// The control plane.
    Provider {
        /// The name of the provider.
        name: String,
    },
}

impl fmt::Display for Actor {
    /// Writes the actor as it stands behind "by".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway => f.write_str("the gateway"),
            Self::Application => f.write_str("the application"),
            Self::Signal { name } => f.write_str(name),
            Self::Owner { users } if users.is_empty() => f.write_str("somebody who left no file"),
            Self::Owner { users } => f.write_str(&users.join(", ")),
            Self::Peer { address, uid, user } => match (user, uid) {
                (Some(user), _) => write!(f, "{user} from {address}"),
                (None, Some(uid)) => write!(f, "user {uid} from {address}"),
                (None, None) => write!(f, "{address}"),
            },
            Self::Provider { name } => write!(f, "the provider {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_are_saved_and_shown() {
        let peer =
            Actor::Peer { address: SocketAddr::from(([127, 0, 0, 1], 4242)), uid: Some(7), user: None };
        let owner = Actor::Owner { users: vec!["alice".to_owned(), "1001".to_owned()] };
        for (actor, shown) in [
            (peer, "user 7 from 127.0.0.1:4242"),
            (owner, "alice, 1001"),
            (Actor::Signal { name: "SIGHUP".to_owned() }, "SIGHUP"),
            (Actor::Provider { name: "runbeam".to_owned() }, "the provider runbeam"),
        ] {
            assert_eq!(actor.to_string(), shown);
            let saved = serde_json::to_string(&actor).unwrap();
            assert_eq!(serde_json::from_str::<Actor>(&saved).unwrap(), actor, "{saved}");
        }
    }
}
