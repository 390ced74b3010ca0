//! Statements that other databases have, written as the parser knows them.

use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan, Tokenizer, Whitespace};

use crate::recipes::literal;

/// The place of the next token from `at` on that is no white space.
fn next(tokens: &[TokenWithSpan], at: usize) -> Option<usize> {
    (at..tokens.len()).find(|&place| !matches!(tokens[place].token, Token::Whitespace(_) | Token::EOF))
}

fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

/// Takes `SUMMARIZE` off; what is left is a query about whose rows it asks, given as text too.
pub fn summarized(tokens: &mut Vec<TokenWithSpan>) -> Option<String> {
    let first = next(tokens, 0)?;
    if !is_word(&tokens[first], "summarize") {
        return None;
    }
    tokens.remove(first);
    let begins = |word: &&str| next(tokens, 0).is_some_and(|at| is_word(&tokens[at], word));
    if !["select", "with", "from", "values"].iter().any(begins) {
        let space = || Token::Whitespace(Whitespace::Space);
        let (select, from) = (Token::make_keyword("SELECT"), Token::make_keyword("FROM"));
        let start = [select, space(), Token::Mul, space(), from, space()];
        let span = tokens.first().map_or_else(Span::empty, |token| token.span);
        tokens.splice(0..0, start.map(|token| TokenWithSpan::new(token, span)));
    }
    Some(tokens.iter().map(|token| token.token.to_string()).collect::<String>().trim().to_owned())
}

/// Writes `COPY ... TO 'file' (FORMAT csv, HEADER false, PARTITION_BY (a))` as `... STORED AS csv PARTITIONED BY (a) OPTIONS
/// (header 'false')`.
///
/// # Errors
/// An option without a value.
pub fn copy_options(tokens: &mut Vec<TokenWithSpan>) -> Result<()> {
    if !next(tokens, 0).is_some_and(|first| is_word(&tokens[first], "copy")) {
        return Ok(());
    }
    // The TO outside parentheses, its target, and a parenthesis right after it.
    let mut depth = 0_i32;
    let to = tokens.iter().position(|token| {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        depth == 0 && is_word(token, "to")
    });
    let Some(target) = to.and_then(|to| next(tokens, to + 1)) else { return Ok(()) };
    let mut open = next(tokens, target + 1);
    if open.is_some_and(|at| is_word(&tokens[at], "with")) {
        open = open.and_then(|at| next(tokens, at + 1));
    }
    let Some(open) = open.filter(|at| tokens[*at].token == Token::LParen) else { return Ok(()) };
    let inside: Vec<Token> = tokens[open + 1..]
        .iter()
        .map(|token| token.token.clone())
        .filter(|token| !matches!(token, Token::Whitespace(_) | Token::EOF))
        .collect();
    let Some((Token::RParen, inside)) = inside.split_last() else { return Ok(()) };
    let mut sql = String::new();
    let mut options = Vec::new();
    for option in split(inside) {
        let [Token::Word(name), value @ ..] = option else {
            let text: String = option.iter().map(ToString::to_string).collect();
            return plan_err!("'{text}' is no option of COPY: write NAME value, as in (FORMAT csv, HEADER false)");
        };
        let name = name.value.to_lowercase();
        let text: String = value.iter().map(bare).collect();
        match name.as_str() {
            "format" => sql.push_str(&format!(" STORED AS {}", text.to_uppercase())),
            "partition_by" => {
                let columns: String = value.iter().map(ToString::to_string).collect();
                let columns = columns.trim_start_matches('(').trim_end_matches(')').to_owned();
                sql.push_str(&format!(" PARTITIONED BY ({columns})"));
            }
            _ if value.is_empty() && name != "header" => {
                return plan_err!("the option {} of COPY has no value", name.to_uppercase());
            }
            _ => {
                let known = match name.as_str() {
                    "null" | "nullstr" => "null_value",
                    "delim" | "sep" => "delimiter",
                    other => other,
                };
                let text = if value.is_empty() { "true" } else { &text };
                options.push(format!("'{known}' {}", literal(text)));
            }
        }
    }
    if !options.is_empty() {
        sql.push_str(&format!(" OPTIONS ({})", options.join(", ")));
    }
    let span = tokens[open].span;
    let written =
        Tokenizer::new(&GenericDialect {}, &sql).tokenize().map_err(|e| DataFusionError::Plan(e.to_string()))?;
    tokens.truncate(target + 1);
    tokens.extend(written.into_iter().map(|token| TokenWithSpan::new(token, span)));
    Ok(())
}

/// The text of a value: without quotes, if it has some.
fn bare(token: &Token) -> String {
    match token {
        Token::SingleQuotedString(text) => text.clone(),
        Token::Word(word) => word.value.clone(),
        other => other.to_string(),
    }
}

/// At commas outside parentheses.
fn split(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_i32;
    let parts = tokens.split(|token| {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        depth == 0 && *token == Token::Comma
    });
    parts.filter(|part| !part.is_empty()).collect()
}
