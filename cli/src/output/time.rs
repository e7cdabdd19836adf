//! Time for people: how long ago, how long yet.

use std::time::Duration;

use shopfloor_domain::{Clock, Timestamp, time::SystemClock};

/// The present time, to compare a server's times with.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// `3m ago`, or nothing.
pub(crate) fn ago(then: Option<Timestamp>) -> String {
    then.map(|then| format!("{} ago", rough(now().since(then)))).unwrap_or_default()
}

/// `in 3m`, `overdue`, or nothing.
pub(crate) fn until(then: Option<Timestamp>) -> String {
    match then.map(|then| (then.since(now()), then)) {
        None => String::new(),
        Some((Duration::ZERO, _)) => "overdue".to_owned(),
        Some((left, _)) => format!("in {}", rough(left)),
    }
}

/// From one time to another.
pub(crate) fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => exact(to.since(from)),
        _ => String::new(),
    }
}

/// The largest unit only.
fn rough(duration: Duration) -> String {
    match duration.as_secs() {
        s @ 0..60 => format!("{s}s"),
        s @ 60..3600 => format!("{}m", s / 60),
        s @ 3600..86400 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86400),
    }
}

/// Milliseconds below a second, tenths below a minute.
pub(crate) fn exact(duration: Duration) -> String {
    match duration.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => rough(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_for_reading() {
        let s = Duration::from_secs;
        assert_eq!([rough(s(0)), rough(s(90)), rough(s(7200)), rough(s(200_000))], ["0s", "1m", "2h", "2d"]);
        assert_eq!(exact(Duration::from_millis(12)), "12 ms");
        assert_eq!(exact(Duration::from_millis(1540)), "1.5 s");
    }
}
