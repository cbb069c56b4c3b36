//! How other programs are pointed at Dragoman: those that speak Anthropic's Messages API, and those that speak one of
//! OpenAI's.
//!
//! `{url}`, `{token}` and `{model}` are filled in. "Tested" means that the program is run in `make test`.

use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::app::App;
use crate::paths::claude_code as names;
use crate::running::Found;

/// For one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// What to ask for.
    pub name: &'static str,
    /// The program.
    pub about: &'static str,
    /// Does it work?
    pub readiness: Readiness,
    /// What to do, or why nothing can be done.
    pub text: &'static str,
}

/// Does it work?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// It runs in `make test`.
    Tested,
    /// It should work.
    Untested,
}

/// All of them.
pub const RECIPES: [Recipe; 11] = [
    Recipe {
        name: "opencode",
        about: "opencode",
        readiness: Readiness::Tested,
        text: r#"In ~/.config/opencode/opencode.json, or opencode.json of a project:

{
  "$schema": "https://opencode.ai/config.json",
  "provider": {
    "dragoman": {
      "npm": "@ai-sdk/anthropic",
      "name": "Dragoman",
      "options": { "baseURL": "{url}/v1", "apiKey": "{token}" },
      "models": {
        "{model}": { "name": "{model}", "limit": { "context": {window}, "output": 32000 } }
      }
    }
  },
  "model": "dragoman/{model}",
  "small_model": "dragoman/{model}"
}
"#,
    },
    Recipe {
        name: "cline",
        about: "Cline (VS Code)",
        readiness: Readiness::Untested,
        text: "In Cline's settings choose the API provider Anthropic, then:\n\n  Anthropic API Key     {token}\n  Use custom base URL   {url}\n  Model                 any Claude model: Dragoman's map decides which model answers\n",
    },
    Recipe {
        name: "roo",
        about: "Roo Code (VS Code)",
        readiness: Readiness::Untested,
        text: "In Roo Code's settings choose the API provider Anthropic, then:\n\n  Anthropic API Key     {token}\n  Use custom base URL   {url}\n  Model                 any Claude model: Dragoman's map decides which model answers\n",
    },
    Recipe {
        name: "zed",
        about: "Zed",
        readiness: Readiness::Untested,
        text: r#"In Zed's settings.json:

{
  "language_models": {
    "anthropic": {
      "api_url": "{url}",
      "available_models": [
        { "name": "{model}", "display_name": "{model}", "max_tokens": {window}, "max_output_tokens": 32000 }
      ]
    }
  }
}

Then, in the agent panel's settings, under Anthropic, the API key: {token}
"#,
    },
    Recipe {
        name: "continue",
        about: "Continue (VS Code, JetBrains)",
        readiness: Readiness::Untested,
        text: "In ~/.continue/config.yaml:\n\nmodels:\n  - name: {model}\n    provider: anthropic\n    model: {model}\n    apiBase: {url}/v1/\n    apiKey: {token}\n    roles: [chat, edit, apply]\n",
    },
    Recipe {
        name: "aider",
        about: "aider",
        readiness: Readiness::Untested,
        text: "In the shell where you start it:\n\n  export ANTHROPIC_API_BASE={url}\n  export ANTHROPIC_API_KEY={token}\n  aider --model anthropic/{model}\n",
    },
    Recipe {
        name: "anthropic-sdk",
        about: "Anthropic's SDKs",
        readiness: Readiness::Tested,
        text: "In the environment of your program:\n\n  ANTHROPIC_BASE_URL={url}\n  ANTHROPIC_AUTH_TOKEN={token}\n\nand the model {model}.\n",
    },
    Recipe {
        name: "openclaw",
        about: "OpenClaw",
        readiness: Readiness::Untested,
        text: r#"In ~/.openclaw/openclaw.json:

{
  "models": {
    "providers": {
      "dragoman": {
        "baseUrl": "{url}",
        "apiKey": "{token}",
        "api": "anthropic-messages",
        "models": [{ "id": "{model}", "name": "{model}", "contextWindow": {window}, "maxTokens": 32000 }]
      }
    }
  },
  "agents": { "defaults": { "model": { "primary": "dragoman/{model}" } } }
}
"#,
    },
    Recipe {
        name: "codex",
        about: "Codex CLI",
        readiness: Readiness::Tested,
        text: r#"In ~/.codex/config.toml (the first two keys at its top, before any table):

model = "{model}"
model_provider = "dragoman"

[model_providers.dragoman]
name = "Dragoman"
base_url = "{url}/v1"
wire_api = "responses"
experimental_bearer_token = "{token}"
"#,
    },
    Recipe {
        name: "openai-sdk",
        about: "OpenAI's SDKs",
        readiness: Readiness::Tested,
        text: "In the environment of your program:\n\n  OPENAI_BASE_URL={url}/v1\n  OPENAI_API_KEY={token}\n\nand the model {model}. Both APIs are there: Responses and Chat Completions.\n",
    },
    Recipe {
        name: "openai-compatible",
        about: "Programs that take an OpenAI-compatible base URL",
        readiness: Readiness::Tested,
        text: "  Base URL   {url}/v1\n  API key    {token}\n  Model      {model}\n\nTested with opencode's provider of this kind (@ai-sdk/openai-compatible); your program's names for these may differ.\n",
    },
];

impl App {
    /// A recipe with this server's address, token and model. `None`: the server is off, and its port is not known.
    pub fn recipe(&self, recipe: &Recipe, found: Option<&Found>) -> Option<String> {
        if found.is_none() && self.address().port() == 0 {
            return None;
        }
        let variables = found.map_or_else(|| self.environment(), |found| self.environment_of(found));
        let value = |name: &str| {
            let variable = variables.iter().find(|(variable, _)| variable == name);
            variable.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let snapshot = self.snapshot().borrow().clone();
        let default = snapshot.models.families.iter().find(|family| family.asks == "default");
        let model = default.and_then(|family| family.model.as_deref()).unwrap_or("claude-sonnet-5-5");
        let text =
            recipe.text.replace("{url}", value(names::BASE_URL)).replace("{token}", value(names::AUTH_TOKEN));
        Some(text.replace("{model}", model).replace("{window}", value(names::MAX_CONTEXT_TOKENS)))
    }
}
