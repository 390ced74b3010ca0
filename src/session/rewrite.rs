//! Rewrites statements of other databases to a form that the parser knows.

use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan, Tokenizer, Whitespace};

use crate::recipes::literal;

/// The place of the next token from `at` on that is no white space.
fn next(tokens: &[TokenWithSpan], at: usize) -> Option<usize> {
    (at..tokens.len()).find(|&place| !matches!(tokens[place].token, Token::Whitespace(_) | Token::EOF))
}

fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

/// Removes `SUMMARIZE`. Returns the text of the query whose rows are to be summarised.
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

/// Writes a query that begins with FROM and has no SELECT, `FROM docs WHERE n > 1`, as `SELECT * FROM docs WHERE n > 1`.
pub fn from_first(tokens: &mut Vec<TokenWithSpan>) {
    let places: Vec<usize> = (0..tokens.len()).filter(|&at| begins_query(tokens, at)).collect();
    for at in places.into_iter().rev() {
        let span = tokens[at].span;
        let space = || Token::Whitespace(Whitespace::Space);
        let start = [Token::make_keyword("SELECT"), space(), Token::Mul, space()];
        tokens.splice(at..at, start.map(|token| TokenWithSpan::new(token, span)));
    }
}

/// Whether the token at `at` is the FROM of a query without SELECT.
fn begins_query(tokens: &[TokenWithSpan], at: usize) -> bool {
    if !is_word(&tokens[at], "from") || is_selected(&tokens[at..]) {
        return false;
    }
    let before: Vec<usize> =
        (0..at).rev().filter(|&place| !matches!(tokens[place].token, Token::Whitespace(_))).take(2).collect();
    let is = |place: usize, words: &[&str]| words.iter().any(|word| is_word(&tokens[place], word));
    match before.as_slice() {
        [] => true,
        // The parenthesis of a call, as in trim(FROM x), is none of a query.
        [open, rest @ ..] if tokens[*open].token == Token::LParen => rest.first().is_none_or(|&name| {
            let is_name = matches!(&tokens[name].token, Token::Word(word) if word.keyword == Keyword::NoKeyword);
            !is_name && !is(name, &["trim", "substring", "extract", "overlay", "position"])
        }),
        [word, rest @ ..] if is(*word, &["distinct"]) => {
            rest.first().is_some_and(|&set| is(set, &["union", "except", "intersect"]))
        }
        [close, ..] if tokens[*close].token == Token::RParen => follows_with(&tokens[..at]),
        [word, ..] => is(*word, &["union", "all", "except", "intersect", "as", "explain", "analyze", "verbose"]),
    }
}

/// Whether a SELECT follows in the same query.
fn is_selected(tokens: &[TokenWithSpan]) -> bool {
    let mut depth = 0_i32;
    for token in tokens {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        let ends = depth == 0 && ["union", "except", "intersect"].iter().any(|word| is_word(token, word));
        if depth < 0 || ends {
            return false;
        }
        if depth == 0 && is_word(token, "select") {
            return true;
        }
    }
    false
}

/// Whether these tokens end with the queries of a WITH.
fn follows_with(tokens: &[TokenWithSpan]) -> bool {
    let mut depth = 0_i32;
    for token in tokens.iter().rev() {
        match token.token {
            Token::RParen => depth += 1,
            Token::LParen => depth -= 1,
            _ => {}
        }
        if depth < 0 || depth == 0 && ["select", "insert", "delete", "from"].iter().any(|word| is_word(token, word)) {
            return false;
        }
        if depth == 0 && is_word(token, "with") {
            return true;
        }
    }
    false
}

/// Rewrites `COPY ... TO 'file' (FORMAT csv, HEADER false, PARTITION_BY (a))` as `... STORED AS csv PARTITIONED BY (a)
/// OPTIONS (header 'false')`.
///
/// # Errors
/// An option has no value.
pub fn copy_options(tokens: &mut Vec<TokenWithSpan>) -> Result<()> {
    let mut first = next(tokens, 0);
    while let Some(at) =
        first.filter(|&at| ["explain", "analyze", "verbose"].iter().any(|word| is_word(&tokens[at], word)))
    {
        first = next(tokens, at + 1);
    }
    if !first.is_some_and(|first| is_word(&tokens[first], "copy")) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(sql: &str) -> String {
        let mut tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().unwrap();
        from_first(&mut tokens);
        tokens.iter().map(|token| token.token.to_string()).collect()
    }

    #[test]
    fn from_without_select_selects_all() {
        for (sql, expected) in [
            ("FROM t WHERE a > 1", "SELECT * FROM t WHERE a > 1"),
            ("from t limit 1", "SELECT * from t limit 1"),
            ("EXPLAIN ANALYZE FROM t", "EXPLAIN ANALYZE SELECT * FROM t"),
            ("WITH x AS (FROM t WHERE a) FROM x", "WITH x AS (SELECT * FROM t WHERE a) SELECT * FROM x"),
            ("SELECT 1 UNION ALL FROM t", "SELECT 1 UNION ALL SELECT * FROM t"),
            ("SELECT a IN (FROM t) FROM u", "SELECT a IN (SELECT * FROM t) FROM u"),
            ("COPY (FROM t) TO 'x.csv'", "COPY (SELECT * FROM t) TO 'x.csv'"),
            ("CREATE TABLE x AS FROM t", "CREATE TABLE x AS SELECT * FROM t"),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        for sql in [
            "FROM t SELECT a WHERE b",
            "SELECT a FROM t",
            "SELECT (a) FROM t",
            "SELECT trim(FROM a), extract(year FROM b), f(a) FROM t",
            "SELECT a IS DISTINCT FROM b FROM t",
            "DELETE FROM t WHERE (a)",
            "WITH x AS (SELECT 1) SELECT (2) FROM x",
            "SELECT count(*) FILTER (WHERE a) FROM t",
            "SELECT sum(a) OVER (PARTITION BY b) FROM t",
        ] {
            assert_eq!(rewritten(sql), sql);
        }
    }
}
