//! Reading of one module: the parts of its syntax that the check needs.

use syn::visit::{self, Visit};
use syn::{
    Attribute, Field, ImplItem, Item, ItemMacro, ItemMod, ItemUse, Local, Macro, Path, TraitItem, Variant,
    Visibility,
};

use super::mention::{Kind, Mention};
use super::test_only::{of_impl_item, of_item, of_trait_item, test_only};
use super::token_paths::token_paths;
use super::use_paths::{End, is_re_export, use_paths};

/// The contents of one module, without test code and without the contents of its child modules.
#[derive(Default)]
pub(super) struct ModuleReader<'ast> {
    /// The names of items.
    pub(super) items: Vec<String>,
    /// The names of exported macros, which are bound in the root module.
    pub(super) exported: Vec<String>,
    /// The names that each `use` binds, with its path.
    pub(super) uses: Vec<(String, Vec<String>)>,
    /// The paths before `::*`.
    pub(super) globs: Vec<Vec<String>>,
    pub(super) mentions: Vec<Mention>,
    /// The child modules.
    pub(super) children: Vec<&'ast ItemMod>,
    /// The names of the child modules that only tests use.
    pub(super) test_children: Vec<String>,
}

impl<'ast> ModuleReader<'ast> {
    /// Reads the items of a module.
    pub(super) fn read(items: &'ast [Item]) -> Self {
        let mut reader = Self::default();
        items.iter().for_each(|item| reader.visit_item(item));
        reader
    }

    fn mention(&mut self, path: Vec<String>, kind: Kind) {
        self.mentions.push(Mention { path, kind });
    }

    fn read_use(&mut self, item: &ItemUse) {
        let kind = if is_re_export(item) { Kind::ReExport } else { Kind::Import };
        for used in use_paths(item) {
            match used.end {
                End::Glob => self.globs.push(used.path.clone()),
                End::Name(name) => self.uses.push((name, used.path.clone())),
            }
            self.mention(used.path, kind);
        }
    }

    fn read_tokens(&mut self, tokens: &Macro, counts: impl Fn(&[String]) -> bool) {
        for path in token_paths(tokens.tokens.clone()) {
            if counts(&path) {
                self.mention(path, Kind::Code);
            }
        }
    }

    /// Reads `macro_rules!`, or a macro call at the position of an item.
    fn read_item_macro(&mut self, item: &'ast ItemMacro) {
        let Some(name) = &item.ident else {
            return self.visit_macro(&item.mac);
        };
        self.items.push(name.to_string());
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
            self.exported.push(name.to_string());
            // Every other path is resolved where the macro is called, which may be in another crate.
            self.read_tokens(&item.mac, |path| path.first().is_some_and(|first| first == "crate"));
        } else {
            self.read_tokens(&item.mac, |_| true);
        }
    }
}

impl<'ast> Visit<'ast> for ModuleReader<'ast> {
    fn visit_item(&mut self, item: &'ast Item) {
        let tests_only = test_only(of_item(item));
        match item {
            Item::Mod(module) if tests_only => self.test_children.push(module.ident.to_string()),
            _ if tests_only => {}
            Item::Mod(module) => self.children.push(module),
            Item::Use(item) => self.read_use(item),
            Item::Macro(item) => self.read_item_macro(item),
            _ => {
                self.items.extend(name_of(item));
                visit::visit_item(self, item);
            }
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !test_only(of_impl_item(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if !test_only(of_trait_item(item)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !test_only(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        if !test_only(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !test_only(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.read_tokens(call, |_| true);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            self.mention(path.segments.iter().map(|segment| segment.ident.to_string()).collect(), Kind::Code);
        }
        visit::visit_path(self, path);
    }

    /// Ignores attributes: their paths name macros of other crates.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    /// Ignores `pub(in path)`: its path restricts the visibility and imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// Returns the name that an item defines.
fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
