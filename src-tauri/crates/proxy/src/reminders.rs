//! What Claude Code tells the model in notes of its own, beside what the user says: that plan mode begins or ends, which
//! tools it loads later. `system` messages; with older models reminders in the user's (`claude-code.md` §3).

use std::borrow::Cow;

use dragoman_protocol::anthropic::block::Block;
use dragoman_protocol::anthropic::request::{Content, MessagesRequest, Role};

/// The texts, the newest first.
pub(crate) fn reminders<'r>(request: &'r MessagesRequest<'_>) -> impl Iterator<Item = Cow<'r, str>> {
    request.messages.iter().rev().flat_map(|message| {
        let texts: Vec<_> = match &message.content {
            Content::Text(text) => vec![text],
            Content::Blocks(blocks) => blocks
                .iter()
                .rev()
                .filter_map(|block| match block {
                    Block::Text(block) => Some(&block.text),
                    _ => None,
                })
                .collect(),
        };
        let is_note = |text: &str| match message.role {
            Role::System => true,
            Role::User => text.trim_start().starts_with("<system-reminder>"),
            Role::Assistant => false,
        };
        texts.into_iter().map(|text| text.to_text()).filter(move |text| is_note(text))
    })
}
