//! Compares app versions. Pure.

use std::cmp::Ordering;

/// Compares two versions part by part, `2.10` above `2.9`, a missing part as 0. `None` when a part
/// is not a number of at most nine digits.
pub(super) fn compare(one: &str, other: &str) -> Option<Ordering> {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    let mut order = Ordering::Equal;
    loop {
        let (one, other) = (ones.next(), others.next());
        if one.is_none() && other.is_none() {
            return Some(order);
        }
        order = order.then(part(one)?.cmp(&part(other)?));
    }
}

/// Whether a version can be compared.
pub(super) fn is_one(version: &str) -> bool {
    compare(version, "0").is_some()
}

fn part(text: Option<&str>) -> Option<u32> {
    let Some(text) = text else { return Some(0) };
    let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_numbers_and_what_is_none_cannot_be_compared() {
        let cases = [
            ("2.10.0", "2.9", Some(Ordering::Greater)),
            ("2.3", "2.3.0", Some(Ordering::Equal)),
            ("2.3", "2.3.1", Some(Ordering::Less)),
            ("1.0", "1.0-beta", None),
            ("2.0", "1.x", None),
            ("1..2", "1.0.2", None),
            ("1234567890", "1", None),
        ];
        for (one, other, order) in cases {
            assert_eq!(compare(one, other), order, "{one} {other}");
            assert_eq!(compare(other, one), order.map(Ordering::reverse), "{other} {one}");
        }
    }
}
