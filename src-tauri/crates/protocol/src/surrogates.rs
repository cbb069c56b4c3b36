//! Repairs lone UTF-16 surrogate escapes (`"\ud83d"` without its partner) in JSON text.
//!
//! JavaScript clients produce them when they cut a string in the middle of an emoji; strict JSON readers refuse the
//! whole body. Each lone escape becomes `\ufffd`. Not here: any other change.

use std::borrow::Cow;

use memchr::memmem;

/// The same JSON with every lone surrogate escape replaced. Borrowed (and nearly free) where there is none.
pub fn repair(json: &[u8]) -> Cow<'_, [u8]> {
    if memmem::find(json, b"\\ud").is_none() && memmem::find(json, b"\\uD").is_none() {
        return Cow::Borrowed(json);
    }
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &json[at..]) {
        let escape = at + found;
        let Some(unit) = code_unit(json, escape) else {
            at = (escape + 2).min(json.len());
            continue;
        };
        let paired = (0xD800..0xDC00).contains(&unit)
            && code_unit(json, escape + 6).is_some_and(|low| (0xDC00..0xE000).contains(&low));
        if paired {
            at = escape + 12;
        } else {
            if (0xD800..0xE000).contains(&unit) {
                let copy = out.get_or_insert_with(|| json.to_vec());
                copy[escape..escape + 6].copy_from_slice(b"\\ufffd");
            }
            at = escape + 6;
        }
    }
    out.map_or(Cow::Borrowed(json), Cow::Owned)
}

/// The value of the `\uXXXX` escape that starts at `at`, if there is one.
fn code_unit(json: &[u8], at: usize) -> Option<u16> {
    let escape = json.get(at..at + 6)?;
    if escape[0] != b'\\' || escape[1] != b'u' {
        return None;
    }
    let digits = std::str::from_utf8(&escape[2..]).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lone_surrogates_change() {
        let cases: [(&str, &str); 6] = [
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\uDE00x""#, r#""\ufffdx""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""é\n""#, r#""é\n""#),
        ];
        for (before, after) in cases {
            assert_eq!(repair(before.as_bytes()), after.as_bytes(), "{before}");
        }
    }
}
