//! Text from elsewhere, made fit for a terminal.

/// One line without control characters: a task's title must not be able to move the cursor.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_control(c) { ' ' } else { c }).collect()
}

/// Several lines without control characters other than line ends and tabs.
pub(crate) fn clean_block(text: &str) -> String {
    text.chars().map(|c| if is_control(c) && !matches!(c, '\n' | '\t' | '\r') { '\u{fffd}' } else { c }).collect()
}

/// At most `max` characters of the first line, with an ellipsis where something is left out.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    let text = text.trim();
    let line = text.lines().next().unwrap_or_default();
    let cut = line.chars().count() > max || line.len() < text.len();
    let mut short: String = clean(line).chars().take(if cut { max.saturating_sub(1) } else { max }).collect();
    if cut {
        short.push('…');
    }
    short
}

/// Bytes for people.
pub(crate) fn size(bytes: i64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Control characters, and those that change the direction of what follows.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_act_on() {
        assert_eq!(clean("a\x1b[2Jb\u{202e}c\nd"), "a [2Jb c d");
        assert_eq!(clean_block("a\x1b]0;x\x07\n\tb"), "a\u{fffd}]0;x\u{fffd}\n\tb");
    }

    #[test]
    fn long_and_many_lines_are_shortened() {
        assert_eq!(shorten("short", 10), "short");
        assert_eq!(shorten("exactly 10", 10), "exactly 10");
        assert_eq!(shorten("more than ten", 10), "more than…");
        assert_eq!(shorten("one\ntwo", 10), "one…");
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!([size(0), size(999), size(1500), size(104_857_600)], ["0 B", "999 B", "1.5 kB", "104.9 MB"]);
    }
}
