//! The root keys of the Codex CLI's `config.toml` that can be defaults here. Its profiles and overrides are not read.

use std::fs;
use std::path::Path;

use dragoman_proxy::CodexDefaults;
use serde::Deserialize;

#[derive(Deserialize)]
struct Config {
    model: Option<String>,
    model_context_window: Option<u64>,
    model_auto_compact_token_limit: Option<u64>,
}

/// What the file says, or why it says nothing.
pub(super) fn read(path: Option<&Path>) -> Result<CodexDefaults, String> {
    let Some(path) = path else {
        return Err("models.from_codex is on, but this user has no home directory".to_owned());
    };
    let useless = |why: &str| {
        format!("models.from_codex is on, but {} can't be used: {why}; the defaults stay", path.display())
    };
    let text = fs::read_to_string(path).map_err(|error| useless(&error.to_string()))?;
    let config: Config = toml::from_str(&text).map_err(|error| useless(&super::file::sentence(&error)))?;
    let some = |tokens: &u64| *tokens > 0;
    Ok(CodexDefaults {
        model: config.model.filter(|model| !model.trim().is_empty()),
        window: config.model_context_window.filter(some),
        compact_at: config.model_auto_compact_token_limit.filter(some),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_keys_count_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        let text =
            "model = \"gpt-5.5\"\nmodel_auto_compact_token_limit = 150000\n[profiles.x]\nmodel = \"gpt-9\"\n";
        fs::write(&path, text).unwrap();
        let read = |path: &Path| super::read(Some(path));
        let expected =
            CodexDefaults { model: Some("gpt-5.5".into()), window: None, compact_at: Some(150_000) };
        assert_eq!(read(&path), Ok(expected));
        fs::write(&path, "model = 3").unwrap();
        assert!(read(&path).unwrap_err().contains("config.toml can't be used"));
        assert!(read(&home.path().join("none")).is_err());
    }
}
