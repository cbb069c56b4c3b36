//! `connect` and `disconnect`: Claude Code's settings, told in words or as JSON.

use std::path::PathBuf;

use clap::Args;
use dragoman::{STREAMS, Scope, SetUpReport, Weight};

use crate::args::{Common, Format};
use crate::words::{note, say, say_json, table};
use crate::{Exit, Trouble, look};

#[derive(Debug, Args)]
pub(crate) struct Connect {
    /// Only in this directory: .claude/settings.local.json
    #[arg(long, conflicts_with = "user")]
    project: bool,
    /// For this user, in every directory (the default): ~/.claude/settings.json, or below CLAUDE_CONFIG_DIR
    #[arg(long)]
    user: bool,
    /// Only tell what would be written
    #[arg(long)]
    dry_run: bool,
    /// Also switch Claude Code's auto mode off
    ///
    /// In auto mode Claude Code lets Anthropic's servers judge each risky action instead of asking you. Dragoman can't
    /// make that judgement and does not pretend to, so Claude Code shows notices and asks after all. Switched off, it
    /// asks as it did before there was an auto mode: nothing becomes less safe. `dragoman disconnect` switches it back.
    #[arg(long)]
    disable_auto_mode: bool,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Disconnect {
    /// Only in this directory: .claude/settings.local.json
    #[arg(long, conflicts_with = "user")]
    project: bool,
    /// For this user, in every directory (the default)
    #[arg(long)]
    user: bool,
    /// Only tell what would be written
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: Format,
}

/// `dragoman connect`
pub(crate) async fn connect(common: &Common, connect: Connect) -> Result<Exit, Trouble> {
    let (app, running) = look(common).await?;
    let wish = dragoman::Connect {
        scope: scope(connect.project)?,
        disable_auto_mode: connect.disable_auto_mode,
        dry_run: connect.dry_run,
    };
    let report = app.connect(wish, running.as_ref()).await;
    app.shutdown(STREAMS).await;
    let report = report?;
    if running.is_none() && !connect.dry_run {
        note("dragoman: the server is not running yet; start it with `dragoman serve`");
    }
    if connect.format.json {
        say_json(&report)?;
    } else {
        let verb = if connect.dry_run { "would be connected" } else { "is connected" };
        let mut text = format!("Claude Code {verb} through {}\n{}", report.file.display(), in_words(&report));
        if connect.dry_run && connect.disable_auto_mode {
            text += "\n";
            text += AUTO_MODE;
        }
        if !connect.dry_run {
            text += "\nRunning sessions follow with their next request. To undo it: dragoman disconnect";
            text += if connect.project { " --project" } else { "" };
        }
        say(text)?;
    }
    Ok(Exit::Success)
}

/// `dragoman disconnect`
pub(crate) async fn disconnect(common: &Common, disconnect: Disconnect) -> Result<Exit, Trouble> {
    let (app, _running) = look(common).await?;
    let report = app.disconnect(scope(disconnect.project)?, disconnect.dry_run).await;
    app.shutdown(STREAMS).await;
    let report = report?;
    if disconnect.format.json {
        say_json(&report)?;
    } else if report.changes.is_empty() {
        say(in_words(&report))?;
    } else {
        let verb = if disconnect.dry_run { "would go" } else { "goes" };
        say(format_args!(
            "Claude Code {verb} its own way again ({})\n{}",
            report.file.display(),
            in_words(&report)
        ))?;
    }
    Ok(Exit::Success)
}

/// Why it is offered.
const AUTO_MODE: &str = "\
About --disable-auto-mode: in auto mode Claude Code lets Anthropic's servers judge each risky action instead of asking \
you. Dragoman can't make that judgement and does not pretend to, so Claude Code falls back to questions and notices. \
Without auto mode it asks as it did before there was one: no risk is added, and the notices are gone.";

fn scope(project: bool) -> Result<Scope, Trouble> {
    if !project {
        return Ok(Scope::User);
    }
    let here: PathBuf = std::env::current_dir().map_err(Trouble::System)?;
    Ok(Scope::Project(here))
}

fn in_words(report: &SetUpReport) -> String {
    let rows: Vec<_> = report
        .changes
        .iter()
        .map(|change| {
            let value = change.value.clone().unwrap_or_default();
            [format!("  {}", change.what), change.key.clone(), value]
        })
        .collect();
    let mut lines = vec![table(&rows)];
    if let Some(backup) = &report.backup {
        lines.push(format!("The file as it was before: {}", backup.display()));
    }
    lines.extend(report.notes.iter().cloned());
    lines.extend(report.conflicts.iter().map(|conflict| {
        let mark = match conflict.weight {
            Weight::Blocks => "In the way",
            Weight::Warns => "Mind",
            Weight::Notes => "Note",
        };
        format!("{mark}: {conflict}")
    }));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}
