//! Compares the final answer of a generated text with a known answer.

/// Whether the final answers of `generated` and `gold` agree.
///
/// The answer of a text is the content of the last `\boxed{}`; else what follows the last `####`; else what follows the last
/// `answer is`, `answer:` or `answer =`, to the end of the line; else the whole text. A gold answer that is a number is
/// compared by value with the last number of the generated one. Other answers are compared as text, ignoring case, white
/// space, `$`, `\text{}` and final punctuation.
pub fn answer_match(generated: &str, gold: &str) -> bool {
    let (found, wanted) = (final_answer(generated), plain(final_answer(gold)));
    match number(&wanted) {
        Some(wanted) => last_number(&plain(found)).is_some_and(|found| same(found, wanted)),
        None => !wanted.is_empty() && compact(&plain(found)) == compact(&wanted),
    }
}

/// Removes spaces beside signs, and the brackets of a choice such as `(b)`.
fn compact(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let sign = |at: Option<usize>| at.and_then(|at| letters.get(at)).is_none_or(|c| !c.is_alphanumeric());
    let kept =
        letters.iter().enumerate().filter(|(at, c)| **c != ' ' || !(sign(at.checked_sub(1)) || sign(Some(at + 1))));
    let text: String = kept.map(|(_, c)| *c).collect();
    match text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        Some(inside) if !inside.is_empty() && inside.chars().all(char::is_alphanumeric) => inside.to_owned(),
        _ => text,
    }
}

/// Rewrites `\frac34` as `\frac{3}{4}`.
fn braces(text: &str) -> String {
    let mut parts = text.split("\\frac");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        whole.push_str("\\frac");
        match part.as_bytes() {
            [a, b, ..] if a.is_ascii_digit() && b.is_ascii_digit() => {
                whole.push_str(&format!("{{{}}}{{{}}}{}", &part[..1], &part[1..2], &part[2..]));
            }
            _ => whole.push_str(part),
        }
    }
    whole
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// The part of a text that states its answer.
fn final_answer(text: &str) -> &str {
    if let Some(inside) = text.rfind("\\boxed{").and_then(|at| braced(&text[at + "\\boxed".len()..])) {
        return inside;
    }
    if let Some((_, after)) = text.rsplit_once("####") {
        return first_line(after);
    }
    // ASCII lower-casing keeps byte positions.
    let lower = text.to_ascii_lowercase();
    let marks = ["answer is", "answer:", "answer ="];
    let last = marks.iter().filter_map(|mark| lower.rfind(mark).map(|at| at + mark.len())).max();
    last.map_or(text, |at| first_line(&text[at..]))
}

fn first_line(text: &str) -> &str {
    text.trim_start().lines().next().unwrap_or_default()
}

/// The text between the brace at the start of `text` and its closing brace.
fn braced(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return (at > 0).then(|| &text[1..at]);
        }
    }
    None
}

/// Converts to lower case with single spaces and without decoration.
fn plain(text: &str) -> String {
    let mut text = text.trim().to_lowercase();
    for wrap in ["\\text{", "\\mathrm{", "\\textbf{", "\\mbox{"] {
        while let Some(at) = text.find(wrap) {
            let Some(inside) = braced(&text[at + wrap.len() - 1..]).map(str::to_owned) else { break };
            text.replace_range(at..at + wrap.len() + inside.len() + 1, &inside);
        }
    }
    let text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("{,}", ",");
    let text = braces(&text);
    let text = text.replace(['$', '*'], " ").replace("\\!", "").replace("\\,", "").replace("\\%", "%");
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").trim_matches(|c: char| matches!(c, '.' | ',' | ';' | ':' | '!' | '"' | '\'') || c == ' ').to_owned()
}

/// The value of a text that is a single number: `1,234.5`, `-3/4`, `\frac{3}{4}`, `50%`, `€ 7`.
fn number(text: &str) -> Option<f64> {
    let text = text.trim_start_matches(['€', '£']).trim().trim_end_matches('%').trim();
    if let Some(at) = text.find("\\frac{") {
        let sign = match &text[..at] {
            "" | "+" => 1.0,
            "-" => -1.0,
            _ => return None,
        };
        let rest = &text[at + "\\frac".len()..];
        let above = braced(rest)?;
        let rest = &rest[above.len() + 2..];
        let below = braced(rest)?;
        let whole = rest.len() == below.len() + 2;
        return whole.then(|| Some(sign * decimal(above)? / nonzero(decimal(below)?)?)).flatten();
    }
    match text.split_once('/') {
        Some((above, below)) => Some(decimal(above.trim())? / nonzero(decimal(below.trim())?)?),
        None => decimal(text),
    }
}

fn nonzero(value: f64) -> Option<f64> {
    (value != 0.0).then_some(value)
}

/// Parses a decimal number, with optional commas between thousands and an optional exponent of ten.
fn decimal(text: &str) -> Option<f64> {
    if let Some((mantissa, exponent)) = text.split_once('e') {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        let fine = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let value: f64 = format!("{}e{exponent}", fine.then(|| decimal(mantissa)).flatten()?).parse().ok()?;
        return value.is_finite().then_some(value);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let mut groups = whole.split(',');
    let head = groups.next().unwrap_or_default();
    let grouped = whole.contains(',');
    let fine = digits(head)
        && (!grouped || (1..=3).contains(&head.len()))
        && groups.all(|group| group.len() == 3 && digits(group))
        && digits(fraction)
        && whole.len() + fraction.len() > 0;
    if fine { text.replace(',', "").parse().ok() } else { None }
}

/// The last number in a text, or the value of the text if it is a single number.
fn last_number(text: &str) -> Option<f64> {
    if let Some(value) = number(text) {
        return Some(value);
    }
    let part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '/' | '-' | '+' | 'e');
    let candidates = text.rsplit(|c: char| !part(c)).map(|word| {
        let word = word.trim_end_matches(['.', ',', '/', 'e']);
        // The point of `.5` belongs to the number unless a letter or another point precedes it.
        let point = word.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        if point && !text[..start].ends_with(char::is_alphanumeric) {
            word
        } else {
            word.trim_start_matches(['.', ',', '/', 'e'])
        }
    });
    candidates.filter(|word| word.bytes().any(|b| b.is_ascii_digit())).find_map(|word| {
        // `3-4` ends in 4; `-4` is itself.
        number(word).or_else(|| number(word.rsplit(['-', '+', '/', ',', 'e']).next()?))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_are_found_and_compared_by_value() {
        for (generated, gold) in [
            ("So the total is \\boxed{\\frac{3}{4}}.", "0.75"),
            ("First \\boxed{1}, finally \\boxed{1{,}234}", "#### x\n\\boxed{1{,}234}"),
            ("... so he pays 1,234 dollars.\n#### 1234", "blah blah #### 1,234"),
            ("The answer is $72$.", "72.0"),
            ("We get 5, then 6, and so it makes 7.", "7"),
            ("answer: -3/4", "-\\frac{3}{4}"),
            ("The Answer is (B).", "(b)"),
            ("Answer: \\text{Paris}", "paris"),
            ("It is 50\\%", "50"),
            ("it costs €7", "7"),
            ("between 3-4", "4"),
            ("\\boxed{x^2+1}", "x^2 + 1"),
            ("The answer is (B).", "B"),
            ("It is .5", "0.5"),
            ("\\boxed{\\frac34}", "0.75"),
            ("so we get 1e3", "1000"),
            ("1{,}000", "1000"),
            ("see No.5", "5"),
        ] {
            assert!(answer_match(generated, gold), "{generated} | {gold}");
        }
        for (generated, gold) in [
            ("#### 71", "72"),
            ("The answer is 72 or so. No: 73", "72"),
            ("no number", "3"),
            ("", ""),
            ("anything", ""),
            ("\\boxed{", "1"),
            ("Answer: Rome", "Paris"),
            ("1,23", "123"),
            ("x", "1/0"),
        ] {
            assert!(!answer_match(generated, gold), "{generated} | {gold}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(a in ".{0,40}", b in "[\\\\a-z{}$#0-9,./ -]{0,30}") {
            let _ = answer_match(&a, &b);
            let _ = answer_match(&b, &a);
            let _ = answer_match(&format!("{a}\\boxed{b}"), &format!("\\boxed{{{b}}}"));
        }

        #[test]
        fn a_number_matches_itself_in_every_dress(value in -100_000_i64..100_000) {
            let sum = format!("The answer is {value}.");
            let boxed = format!("thus \\boxed{{{value}}}");
            let marked = format!("#### {value}");
            prop_assert!(answer_match(&sum, &boxed));
            prop_assert!(answer_match(&boxed, &marked));
            prop_assert!(answer_match(&marked, &sum));
            let other = format!("{}", value + 1);
            prop_assert!(!answer_match(&sum, &other));
        }
    }
}
