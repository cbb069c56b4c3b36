//! JSON laid out for reading, member order and every literal as they came. (A parsed and re-written value would sort
//! members and change escapes; both are part of what a case says.)

/// The same JSON with one member or element a line; `None` if it is no JSON.
pub fn laid_out(text: &str) -> Option<String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let end = end_of_string(text, at);
                out.push_str(&text[at..end]);
                while chars.next_if(|(next, _)| *next < end).is_some() {}
            }
            '{' | '[' => {
                out.push(c);
                while chars.next_if(|(_, next)| next.is_whitespace()).is_some() {}
                if let Some((_, close)) = chars.next_if(|(_, next)| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth -= 1;
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(',');
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out.push('\n');
    Some(out)
}

/// The same JSON without white space between its parts, as the real client sends it; text that is no JSON as it is.
pub fn packed(text: &str) -> String {
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let end = if c == '"' { end_of_string(text, at) } else { at + c.len_utf8() };
        if !c.is_whitespace() {
            out.push_str(&text[at..end]);
        }
        at = end;
    }
    out
}

fn end_of_string(text: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}
