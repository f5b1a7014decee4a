//! The names of this gateway at its control plane, and the record that the control plane has of it.

/// The names of this gateway at its control plane, where known.
#[derive(Clone, Debug, Default)]
pub(crate) struct GatewayNames {
    pub(crate) id: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) name: Option<String>,
}

impl GatewayNames {
    /// Returns whether the control plane calls this gateway `name`.
    pub(super) fn contains(&self, name: &str) -> bool {
        [&self.id, &self.code, &self.name].into_iter().flatten().any(|own| own == name)
    }
}

/// A field of the record of a gateway (type `Gateway` of the official SDK) that is no key of `[proxy]`. A change may
/// repeat the record in `[proxy]`; none of these fields is written to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordField {
    /// A fact about the record, without effect in a gateway.
    Fact,
    /// The type of the record: `gateway`.
    Kind,
    /// The code of the gateway.
    Code,
    /// Set to false for a gateway that is disabled at the control plane.
    Enabled,
    /// The setting `management.<key>`.
    Management(&'static str),
    /// The network of the management API, by its name here or an id of the control plane.
    ManagementNetwork,
}

/// Returns the field `name` of the record.
pub(super) fn field(name: &str) -> Option<RecordField> {
    Some(match name {
        "type" => RecordField::Kind,
        "code" => RecordField::Code,
        "enabled" => RecordField::Enabled,
        "management_enabled" => RecordField::Management("enabled"),
        "management_base_path" => RecordField::Management("base_path"),
        "management_network_id" => RecordField::ManagementNetwork,
        "team_id" | "dns" | "settings" | "created_at" | "updated_at" => RecordField::Fact,
        _ => return None,
    })
}
