//! The settings of a gateway that the page can change, in its config.toml.

use toml_edit::{DocumentMut, Item, Table, value};

/// The settings in the gateway's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GatewayForm {
    pub(super) name: Option<String>,
    pub(super) primary_provider: String,
    pub(super) poll_interval_secs: u16,
}

impl GatewayForm {
    /// Reads the settings from a configuration, with the defaults of absent keys.
    pub(super) fn read(config: &str) -> Self {
        let document: DocumentMut = config.parse().unwrap_or_default();
        let text = |key: &str| Some(document.get("proxy")?.get(key)?.as_str()?.to_owned());
        Self {
            name: text("name"),
            primary_provider: text("primary_provider").unwrap_or_else(|| "runbeam".to_owned()),
            poll_interval_secs: Self::interval_in(config).unwrap_or(30),
        }
    }

    /// Reads the poll interval, in seconds; `None` if the configuration does not have it.
    pub(super) fn interval_in(config: &str) -> Option<u16> {
        let document: DocumentMut = config.parse().ok()?;
        let seconds = document.get("provider")?.get("runbeam")?.get("poll_interval_secs")?.as_integer()?;
        seconds.try_into().ok()
    }

    /// Writes the settings into a configuration. The rest of the text stays as it is, comments included.
    pub(super) fn write(&self, config: &str) -> Result<String, String> {
        let mut document: DocumentMut =
            config.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
        let proxy = section(document.as_item_mut(), "proxy")?;
        if let Some(name) = &self.name {
            set(proxy, "name", name.as_str().into());
        }
        set(proxy, "primary_provider", self.primary_provider.as_str().into());
        let providers = section(document.as_item_mut(), "provider")?;
        if let Some(table) = providers.as_table_mut() {
            table.set_implicit(true);
        }
        let runbeam = section(providers, "runbeam")?;
        set(runbeam, "poll_interval_secs", i64::from(self.poll_interval_secs).into());
        Ok(document.to_string())
    }
}

fn section<'a>(parent: &'a mut Item, key: &str) -> Result<&'a mut Item, String> {
    let table = parent.as_table_like_mut().ok_or_else(|| format!("the parent of `{key}` is not a table"))?;
    let item = table.entry(key).or_insert_with(|| Item::Table(Table::new()));
    if item.is_table_like() { Ok(item) } else { Err(format!("`{key}` is not a table")) }
}

/// Replaces a value and keeps its trailing comment.
fn set(table: &mut Item, key: &str, new: toml_edit::Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        None => table[key] = value(new),
    }
}

#[cfg(test)]
mod tests {
    use super::GatewayForm;

    #[test]
    fn writing_keeps_other_keys_and_comments() {
        let before = "# ours\n[proxy]\nid = \"gw\" # the code\nprimary_provider = \"local\" # for now\n\n\
                      [network.default.http]\nbind_port = 8080\n\n[provider.runbeam]\napi = \"https://x\"\n";
        let form = GatewayForm { name: None, primary_provider: "runbeam".to_owned(), poll_interval_secs: 60 };
        let after = form.write(before).unwrap();
        let expected = before.replace("\"local\"", "\"runbeam\"") + "poll_interval_secs = 60\n";
        assert_eq!(after, expected);
        assert_eq!(GatewayForm::read(&after), form);
    }

    #[test]
    fn an_empty_document_gets_only_the_form() {
        let form = GatewayForm { name: None, primary_provider: "local".to_owned(), poll_interval_secs: 5 };
        let written = form.write("").unwrap();
        assert_eq!(
            written,
            "[proxy]\nprimary_provider = \"local\"\n\n[provider.runbeam]\npoll_interval_secs = 5\n"
        );
    }
}
