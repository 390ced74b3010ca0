//! White space as Python defines it, which three of the tools inherit.

/// `str.isspace` and `\s` of Python: Unicode white space and the four ASCII separators.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Appends `chars` with runs of white space as one space each and none at either end.
pub fn squeeze_into(chars: impl Iterator<Item = char>, out: &mut String) {
    let (start, mut gap) = (out.len(), false);
    for c in chars {
        if is_space(c) {
            gap = true;
        } else {
            if gap && out.len() > start {
                out.push(' ');
            }
            gap = false;
            out.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squeezes() {
        let mut out = String::from("x");
        squeeze_into("\u{a0} a\x1c\u{3000}\n b \t".chars(), &mut out);
        assert_eq!(out, "xa b");
    }
}
