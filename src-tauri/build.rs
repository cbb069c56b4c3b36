//! Embeds `ui/`, the icons and the permissions. Nothing is generated into the tree but the git-ignored `gen/`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Both patterns keep Tauri's files in `src-tauri/`: its defaults look in the root, where the manifest is.
    let permissions =
        tauri_build::AppManifest::new().permissions_path_pattern("./src-tauri/permissions/*.toml");
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/**/*")
        .app_manifest(permissions);
    tauri_build::try_build(attributes).map_err(Into::into)
}
