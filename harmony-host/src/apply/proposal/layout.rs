//! Moving items between TOML documents, with the layout of the one they come to.

use toml_edit::{DocumentMut, Item, Table, TableLike};

/// Returns an item as it can stand in any other document, at `position` or at the end.
///
/// A table that was written with dotted keys or as part of the header of another one becomes a table with a header of
/// its own. The tables inside it get no position, so they follow it: a table of an array belongs to the element that is
/// written before it.
pub(super) fn standalone(mut item: Item, position: Option<isize>) -> Item {
    match &mut item {
        Item::Table(table) => stand_alone(table, position),
        Item::ArrayOfTables(tables) => {
            tables.iter_mut().for_each(|table| {
                stand_alone(table, position);
                // The header of an element is what makes it an element.
                table.set_implicit(false);
            });
        }
        Item::None | Item::Value(_) => {}
    }
    item
}

fn stand_alone(table: &mut Table, position: Option<isize>) {
    table.set_position(position);
    table.set_dotted(false);
    let only_tables = !table.is_empty() && table.iter().all(|(_, item)| !item.is_value());
    table.set_implicit(only_tables);
    for (mut key, inner) in table.iter_mut() {
        key.dotted_decor_mut().clear();
        if !inner.is_value() {
            key.leaf_decor_mut().clear();
        }
        *inner = standalone(std::mem::take(inner), position);
    }
}

/// Sets one key of a table and keeps the comments around the value. Creates the table if it is missing.
pub(super) fn set(document: &mut DocumentMut, path: &[&str], key: &str, value: &Item) {
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for (depth, name) in path.iter().enumerate() {
        let item = table.entry(name).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(depth + 1 < path.len());
            Item::Table(table)
        });
        match item.as_table_like_mut() {
            Some(inner) => table = inner,
            None => return,
        }
    }
    let mut new = standalone(value.clone(), None);
    if let (Some(old), Some(value)) = (table.get(key).and_then(Item::as_value), new.as_value_mut()) {
        *value.decor_mut() = old.decor().clone();
    }
    table.insert(key, new);
}

/// Replaces or adds a section of the document.
pub(super) fn replace(document: &mut DocumentMut, key: &str, item: &Item) {
    let position = document.get(key).and_then(first_position);
    document.insert(key, standalone(item.clone(), position));
}

/// Returns the position of the first table in an item.
pub(super) fn first_position(item: &Item) -> Option<isize> {
    match item {
        Item::Table(table) => table
            .position()
            .into_iter()
            .chain(table.iter().filter_map(|(_, inner)| first_position(inner)))
            .min(),
        Item::ArrayOfTables(tables) => tables.iter().filter_map(Table::position).min(),
        Item::None | Item::Value(_) => None,
    }
}

/// Returns the value of an item without its layout.
pub(super) fn value_of(item: &Item) -> Option<toml::Value> {
    let mut document = DocumentMut::new();
    document.insert("v", standalone(item.clone(), None));
    let table: toml::Table = toml::from_str(&document.to_string()).ok()?;
    table.get("v").cloned()
}

/// Returns whether two items have the same value, in whatever layout.
pub(super) fn same(one: Option<&Item>, other: &Item) -> bool {
    one.and_then(value_of).is_some_and(|one| value_of(other) == Some(one))
}
