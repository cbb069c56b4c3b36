//! The items of a client's input, made such as the backend takes them, and otherwise left alone byte for byte.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::Object;
use super::request::KnownItems;
use crate::failure::Failure;
use crate::openai::client::ItemHead;
use crate::route::Dialect;
use crate::translate::notes::{Notes, What};

/// How items are read for one attempt.
pub(super) struct Reader<'a> {
    pub(super) dialect: Dialect,
    /// False: replayed reasoning is left out.
    pub(super) reasoning: bool,
    /// Items that a client names by their id.
    pub(super) known: &'a KnownItems,
}

/// What becomes of an item.
pub(super) enum Fate<'a> {
    /// It goes on, as it is or rewritten.
    Item(Cow<'a, RawValue>),
    /// Tools: the classic dialect has them elsewhere.
    Tools(Vec<Cow<'a, RawValue>>),
    /// It is left out; a note tells why.
    Nothing,
}

impl Reader<'_> {
    pub(super) fn item<'a>(
        &self,
        place: &str,
        raw: &'a RawValue,
        notes: &mut Notes,
    ) -> Result<Fate<'a>, Failure> {
        let head: ItemHead<'a> = serde_json::from_str(raw.get())
            .map_err(|error| Failure::invalid(place, crate::json::without_position(&error)))?;
        Ok(match (head.kind.as_deref(), head.role.as_deref()) {
            (Some("message") | None, Some(role)) => {
                let typed = head.kind.is_some();
                Fate::Item(self.message(raw, role == "system", typed))
            }
            (None, None) => return Err(Failure::invalid(format!("{place}.type"), "field required")),
            (Some("item_reference"), _) => {
                return self.reference(place, head.id.as_deref().unwrap_or_default(), notes);
            }
            (Some("reasoning"), _) if !self.reasoning => {
                notes.add(What::Dropped, place, "the backend could not read this reasoning");
                Fate::Nothing
            }
            (Some("reasoning"), _) if !has_ciphertext(raw) => {
                notes.add(What::Dropped, place, "reasoning without encrypted_content can't be given back");
                Fate::Nothing
            }
            (Some("additional_tools"), _) if self.dialect == Dialect::Classic => Fate::Tools(tools_of(raw)),
            (Some("function_call_output" | "custom_tool_call_output"), _) => {
                Fate::Item(self.without_detail(raw, "output"))
            }
            _ => Fate::Item(Cow::Borrowed(raw)),
        })
    }

    /// An item that was answered before, by its id.
    fn reference<'a>(&self, place: &str, id: &str, notes: &mut Notes) -> Result<Fate<'a>, Failure> {
        if let Some(raw) = self.known.get(id) {
            return Ok(Fate::Item(Cow::Owned(raw.clone())));
        }
        if id.starts_with("rs_") {
            notes.add(What::Dropped, place, "this reasoning is not remembered here; send the item itself");
            return Ok(Fate::Nothing);
        }
        let message = format_args!("the item {id:?} is not remembered here; send the item itself");
        Err(Failure::invalid(format!("{place}.id"), message))
    }

    fn message<'a>(&self, raw: &'a RawValue, is_system: bool, typed: bool) -> Cow<'a, RawValue> {
        if !is_system && typed {
            return self.without_detail(raw, "content");
        }
        let Some(mut object) = Object::of(raw) else { return Cow::Borrowed(raw) };
        if is_system {
            object.set("role", &"developer");
        }
        if !typed {
            let kind =
                serde_json::value::to_raw_value("message").map_or(Cow::Borrowed(RawValue::NULL), Cow::Owned);
            object.0.insert(0, (Cow::Borrowed("type"), kind));
        }
        self.strip(&mut object, "content");
        object.into_raw()
    }

    /// Pictures without `detail`, which the Lite dialect refuses.
    fn without_detail<'a>(&self, raw: &'a RawValue, member: &'static str) -> Cow<'a, RawValue> {
        let affected = self.dialect == Dialect::Lite && raw.get().contains("\"detail\"");
        match Object::of(raw).filter(|_| affected) {
            Some(mut object) => {
                self.strip(&mut object, member);
                object.into_raw()
            }
            None => Cow::Borrowed(raw),
        }
    }

    fn strip(&self, object: &mut Object<'_>, member: &'static str) {
        if self.dialect != Dialect::Lite {
            return;
        }
        let Some(parts) = object.get(member).filter(|raw| raw.get().starts_with('[')) else { return };
        let Ok(parts) = serde_json::from_str::<Vec<&RawValue>>(parts.get()) else { return };
        let stripped: Vec<Cow<'_, RawValue>> = parts
            .into_iter()
            .map(|part| match Object::of(part) {
                Some(mut object) if object.text("type").as_deref() == Some("input_image") => {
                    object.remove("detail");
                    object.into_raw()
                }
                _ => Cow::Borrowed(part),
            })
            .collect();
        let stripped = serde_json::value::to_raw_value(&stripped);
        if let Ok(stripped) = stripped {
            object.set(member, &stripped);
        }
    }
}

fn has_ciphertext(raw: &RawValue) -> bool {
    Object::of(raw)
        .is_some_and(|object| object.text("encrypted_content").is_some_and(|text| !text.is_empty()))
}

/// The tools of an `additional_tools` item.
fn tools_of(raw: &RawValue) -> Vec<Cow<'_, RawValue>> {
    #[derive(serde::Deserialize)]
    struct Tools<'a> {
        #[serde(borrow, default)]
        tools: Vec<&'a RawValue>,
    }
    let tools = serde_json::from_str::<Tools<'_>>(raw.get()).map(|item| item.tools).unwrap_or_default();
    tools.into_iter().map(Cow::Borrowed).collect()
}
