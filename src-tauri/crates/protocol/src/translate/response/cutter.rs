//! Cuts text at the client's stop sequences (M09): the backend takes none, so it is done here, across chunk borders.

/// Looks for the first of some sequences in text that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    /// Text that may be the beginning of a sequence.
    held: String,
}

/// What a piece came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Text that can go out.
    pub(super) text: String,
    /// The sequence that was met: nothing goes out after it.
    pub(super) met: Option<String>,
}

impl Cutter {
    /// Takes a piece of text.
    pub(super) fn push(&mut self, piece: &str, sequences: &[String]) -> Cut {
        self.held.push_str(piece);
        let first = sequences
            .iter()
            .filter_map(|sequence| Some((self.held.find(sequence.as_str())?, sequence)))
            .min_by_key(|(at, _)| *at);
        if let Some((at, sequence)) = first {
            let text = self.held[..at].to_owned();
            self.held.clear();
            return Cut { text, met: Some(sequence.clone()) };
        }
        let keep = sequences.iter().map(|sequence| overlap(&self.held, sequence)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        Cut { text: std::mem::replace(&mut self.held, rest), met: None }
    }

    /// The end of the text: what was held was no sequence.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Length of the longest end of `text` that is a beginning of `sequence`.
fn overlap(text: &str, sequence: &str) -> usize {
    (1..sequence.len())
        .rev()
        .filter(|length| sequence.is_char_boundary(*length))
        .find(|length| text.ends_with(&sequence[..*length]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(pieces: &[&str], sequences: &[&str]) -> (String, Option<String>) {
        let sequences: Vec<String> = sequences.iter().map(|&sequence| sequence.to_owned()).collect();
        let mut cutter = Cutter::default();
        let mut out = String::new();
        for piece in pieces {
            let cut = cutter.push(piece, &sequences);
            out.push_str(&cut.text);
            if cut.met.is_some() {
                return (out, cut.met);
            }
        }
        out.push_str(&cutter.finish());
        (out, None)
    }

    #[test]
    fn a_sequence_is_met_across_pieces() {
        assert_eq!(
            cut(&["<block>no<", "/blo", "ck> more"], &["</block>"]),
            ("<block>no".into(), Some("</block>".into()))
        );
        assert_eq!(cut(&["a</b", "c"], &["</block>"]), ("a</bc".into(), None));
        assert_eq!(cut(&["xab"], &["b", "ab"]), ("x".into(), Some("ab".into())));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[abé]{0,30}", at in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let sequences = ["abé", "bb", "éa"];
            let mut cuts: Vec<usize> =
                at.iter().map(|at| at.index(text.len() + 1)).filter(|at| text.is_char_boundary(*at)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            // Read in pieces, a sequence may be met that ends before another one that begins earlier.
            let (whole, met) = cut(&[&text], &sequences);
            let (pieced, met_in_pieces) = cut(&pieces, &sequences);
            prop_assert_eq!(met.is_some(), met_in_pieces.is_some());
            if met.is_none() {
                prop_assert_eq!(&pieced, &text);
            }
            prop_assert!(pieced.starts_with(&whole) || whole.starts_with(&pieced));
        }
    }
}
