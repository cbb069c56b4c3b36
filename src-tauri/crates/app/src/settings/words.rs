//! The choices that are one word each. Not here: what a choice does.

use serde::Serialize;

use super::values;

/// An enum that is one word in the file. `WORDS` is also what an error message offers.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$variant_about:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
        pub enum $name { $($(#[$variant_about])* #[serde(rename = $word)] $variant,)+ }

        impl values::Word for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];
        }
    };
}

words! {
    /// `upstream.compression`
    Compression {
        /// Larger bodies to other machines (DECISIONS 13).
        #[default] Auto = "auto",
        /// Every larger body.
        On = "on",
        /// Never.
        Off = "off",
    }
}

words! {
    /// `accounts.token_store`
    TokenStore {
        /// The system's keyring.
        #[default] Keyring = "keyring",
        /// A file only its owner can read.
        File = "file",
    }
}

words! {
    /// `accounts.strategy`
    Strategy {
        /// The first in the list that can.
        #[default] Priority = "priority",
        /// One after the other.
        RoundRobin = "round-robin",
        /// The one with the most room left.
        MostRoom = "most-room",
    }
}

words! {
    /// `models.mode`
    Mode {
        /// They are refused.
        #[default] Map = "map",
        /// They go upstream as they are.
        Passthrough = "passthrough",
    }
}

words! {
    /// `mcp.offer`
    McpOffer {
        /// Nobody's.
        #[default] Off = "off",
        /// Every server's that Claude Code's files name.
        All = "all",
        /// Those of `mcp.servers`.
        Named = "named",
    }
}

words! {
    /// `claude_code.when_off`
    WhenOff {
        /// A window asks; without one, as `never`.
        #[default] Ask = "ask",
        /// Its settings are restored when Dragoman is turned off, and written again when it is turned on.
        Always = "always",
        /// They stay as they are.
        Never = "never",
    }
}

words! {
    /// `log.level`
    Level {
        /// Only what failed.
        Error = "error",
        /// Also what is odd.
        Warn = "warn",
        /// Also one line per request and change of state.
        #[default] Info = "info",
        /// Also every step.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

impl Level {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        <Self as values::Word>::WORDS
            .iter()
            .find(|(_, level)| *level == self)
            .map_or("info", |(word, _)| word)
    }
}
