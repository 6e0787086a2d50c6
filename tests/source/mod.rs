//! Reads Rust source for the rules of `tidy.rs`: which paths a file names, which modules it declares,
//! which words stand in it; macros' arguments included.

use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;

/// A source file.
pub struct Source {
    /// Path below `src`, such as `fact/entry.rs`.
    pub path: String,
    pub text: String,
}

/// A path that a file names, made absolute: `crate` or the name of another crate comes first.
pub struct Named {
    pub line: usize,
    pub path: Vec<String>,
    /// Whether it stands in a module that is compiled for tests only.
    pub test: bool,
}

/// What the rules ask about a file.
#[derive(Default)]
pub struct Outline {
    pub named: Vec<Named>,
    /// Names re-exported from modules declared here: the name, the path behind it.
    pub exports: Vec<(String, Vec<String>)>,
    /// Modules declared here that are files of their own, as paths of modules; and lines of `#[path]`.
    pub declared: Vec<Vec<String>>,
    pub redirected: Vec<usize>,
    /// All words but those in comments, literals and conditions of compilation.
    pub words: Vec<(usize, String)>,
    /// The words in conditions of compilation, such as `target_arch`.
    pub conditions: Vec<(usize, String)>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// All of `src`, in the order of their paths.
    pub fn tree() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for item in std::fs::read_dir(folder).unwrap() {
                let path = item.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                    found.push(Self { path: name, text: std::fs::read_to_string(path).unwrap() });
                }
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        assert!(!found.is_empty());
        found
    }

    /// Whether the file is the root of a crate, which no other file declares.
    pub fn is_root(&self) -> bool {
        self.path == "lib.rs" || self.path.starts_with("bin/")
    }

    /// The module that the file is: `fact/entry.rs` is `fact::entry`, `fact/mod.rs` is `fact`.
    pub fn module(&self) -> Vec<String> {
        if self.is_root() {
            return Vec::new();
        }
        let path = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').map(str::to_owned).collect()
    }

    /// The top-level module that it belongs to, nothing for the root of a crate.
    pub fn top(&self) -> Option<String> {
        self.module().into_iter().next()
    }

    pub fn outline(&self) -> Outline {
        let file = syn::parse_file(&self.text).unwrap_or_else(|e| panic!("src/{}: {e}", self.path));
        let mut reader = Reader { module: self.module(), test: false, outline: Outline::default() };
        reader.visit_file(&file);
        let tokens = self.text.parse().unwrap_or_else(|e| panic!("src/{}: {e}", self.path));
        words(tokens, &mut reader.outline, false);
        reader.outline
    }
}

/// Gathers an outline.
struct Reader {
    /// The module that is being read, inline ones included.
    module: Vec<String>,
    test: bool,
    outline: Outline,
}

impl Reader {
    fn name(&mut self, line: usize, path: &[String]) {
        let mut absolute = self.module.clone();
        let mut rest = path;
        match path.first().map(String::as_str) {
            Some("crate") => absolute.clear(),
            Some("self" | "super") => {}
            // The name of another crate, or of what is in scope: then a `use` has brought it there.
            _ => absolute = Vec::new(),
        }
        let local = matches!(path.first().map(String::as_str), Some("crate" | "self" | "super"));
        while let Some(step @ ("crate" | "self" | "super")) = rest.first().map(String::as_str) {
            if step == "super" {
                absolute.pop();
            }
            rest = &rest[1..];
        }
        let start = local.then(|| "crate".to_owned());
        let path = start.into_iter().chain(absolute).chain(rest.iter().cloned()).collect();
        self.outline.named.push(Named { line, path, test: self.test });
    }

    fn flatten(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree, public: bool) {
        let (span, segment, exported) = match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.flatten(prefix, &path.tree, public);
                prefix.pop();
                return;
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.flatten(prefix, tree, public));
                return;
            }
            syn::UseTree::Name(name) => (name.ident.span(), name.ident.to_string(), name.ident.to_string()),
            syn::UseTree::Rename(name) => {
                (name.ident.span(), name.ident.to_string(), name.rename.to_string())
            }
            syn::UseTree::Glob(glob) => (glob.star_token.span, "*".to_owned(), "*".to_owned()),
        };
        let mut path = prefix.clone();
        // `a::{self}` names a.
        if segment != "self" || path.is_empty() {
            path.push(segment);
        }
        if public {
            self.outline.exports.push((exported, path.clone()));
        }
        self.name(span.start().line, &path);
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let line = item.ident.span().start().line;
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
            self.outline.redirected.push(line);
        }
        self.module.push(item.ident.to_string());
        if item.content.is_none() {
            self.outline.declared.push(self.module.clone());
        }
        let test = self.test;
        self.test |= item.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|what| what.is_ident("test"))
        });
        syn::visit::visit_item_mod(self, item);
        self.test = test;
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let public = !matches!(item.vis, syn::Visibility::Inherited);
        self.flatten(&mut Vec::new(), &item.tree, public);
        syn::visit::visit_item_use(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let Some(first) = path.segments.first().filter(|_| segments.len() > 1) {
            self.name(first.ident.span().start().line, &segments);
        }
        syn::visit::visit_path(self, path);
    }

    /// What macros and attributes are given: paths are found in it without knowing the grammar.
    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        let tokens: Vec<_> = tokens.clone().into_iter().collect();
        let is_colons = |at: usize| {
            let colon = |at| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
            colon(at) && colon(at + 1)
        };
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.visit_token_stream(&group.stream()),
                TokenTree::Ident(first) => {
                    let mut path = vec![first.to_string()];
                    while is_colons(at) {
                        let Some(TokenTree::Ident(next)) = tokens.get(at + 2) else { break };
                        path.push(next.to_string());
                        at += 3;
                    }
                    if path.len() > 1 {
                        self.name(first.span().start().line, &path);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

/// Gathers the words of `tokens`, and apart from them those that conditions of compilation are made of.
fn words(tokens: TokenStream, outline: &mut Outline, in_condition: bool) {
    let mut condition = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => words(group.stream(), outline, in_condition || condition),
            TokenTree::Ident(word) => {
                let (line, word) = (word.span().start().line, word.to_string());
                condition = word == "cfg" || word == "cfg_attr";
                if in_condition {
                    outline.conditions.push((line, word));
                } else {
                    outline.words.push((line, word));
                }
                continue;
            }
            // The one of `cfg!(…)`.
            TokenTree::Punct(mark) if mark.as_char() == '!' => continue,
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        condition = false;
    }
}
