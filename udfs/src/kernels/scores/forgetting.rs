//! Forgetting events (Toneva et al., An empirical study of example forgetting during deep neural network learning, 2019).

/// How often a correct answer is followed by a wrong one, over answers ordered by step; `None` if none was ever correct.
pub fn forgetting_events(answers: impl Iterator<Item = bool>) -> Option<u64> {
    let (mut previous, mut learned, mut events) = (false, false, 0);
    for correct in answers {
        events += u64::from(previous && !correct);
        learned |= correct;
        previous = correct;
    }
    learned.then_some(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_falls_count() {
        let events = |text: &str| forgetting_events(text.bytes().map(|c| c == b'1'));
        assert_eq!(events("0101100"), Some(2));
        assert_eq!(events("0111"), Some(0));
        assert_eq!(events("10"), Some(1));
        assert_eq!(events("000"), None);
        assert_eq!(events(""), None);
    }
}
