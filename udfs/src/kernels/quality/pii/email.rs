//! Mail addresses.

use super::text::{char_after, is_listed, is_name_char};

const MAX_LOCAL: usize = 64;
const MAX_HOST: usize = 255;
/// Maximum number of bytes of a surrounding URL or path that are examined.
const MAX_TOKEN: usize = 256;

/// Finds the next mail address at or after `from`.
pub fn next_email(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut search = from;
    while let Some(found) = text[search..].find('@') {
        let at = search + found;
        search = at + 1;
        let local = text[from..at]
            .char_indices()
            .rev()
            .take(MAX_LOCAL)
            .take_while(|&(_, c)| is_name_char(c) || matches!(c, '.' | '_' | '%' | '+' | '\'' | '~' | '-'))
            .filter(|&(_, c)| is_name_char(c) || c == '_')
            .last();
        let Some((local, _)) = local else { continue };
        let start = from + local;
        if text[..at].ends_with('.') || text[start..at].contains("..") || is_user_of_url(&text[from..start]) {
            continue;
        }
        if let Some(width) = host(&text[at + 1..]) {
            return Some((start, at + 1 + width));
        }
    }
    None
}

/// Whether the text before a name makes it a user in a URL with a non-web scheme, or a password in any URL, as in
/// `ssh://git@` and `https://ann:secret@`.
fn is_user_of_url(before: &str) -> bool {
    let before = &before[before.ceil_char_boundary(before.len().saturating_sub(MAX_TOKEN))..];
    let token = before.rsplit(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '(')).next();
    let Some((scheme, user)) = token.and_then(|token| token.rsplit_once("://")) else { return false };
    if user.contains(['/', '?', '#']) {
        return false;
    }
    let scheme = scheme.rsplit(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))).next();
    user.contains(':') || !matches!(scheme, Some("http" | "https"))
}

/// Length in bytes of the host name at the start of `s`, up to its last label that is a top-level domain.
fn host(s: &str) -> Option<usize> {
    // Host names in scripts without spaces are recognised only if they start in such a script: `ann@example.com` may be
    // followed by text of such a script without a space.
    let wide = s.starts_with(|c: char| c > '\u{530}' && c.is_alphabetic());
    let in_host = |c: char| is_name_char(c) || matches!(c, '-' | '.') || wide && c.is_alphanumeric();
    let run = &s[..s.char_indices().take(MAX_HOST + 1).find(|&(_, c)| !in_host(c)).map_or(s.len(), |(end, _)| end)];
    if run.chars().count() > MAX_HOST || is_scale_or_version(run) {
        return None;
    }
    let (mut end, mut start) = (None, 0);
    for label in run.split('.') {
        let trimmed = label.trim_end_matches('-');
        if trimmed.is_empty() || trimmed.len() > 63 || trimmed.starts_with('-') {
            break;
        }
        if start > 0 && is_top_level(trimmed) {
            end = Some((start + trimmed.len(), trimmed));
        }
        if trimmed.len() < label.len() {
            break;
        }
        start += label.len() + 1;
    }
    let (end, top) = end?;
    if is_listed(FILES, top) && run[..end].matches('.').count() == 1 {
        return None;
    }
    (!goes_on_as_code(&s[end..], top)).then_some(end)
}

/// `2x` and `1.5x` of images for dense screens, `1.2.3` of packages.
fn is_scale_or_version(host: &str) -> bool {
    let digits = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit());
    let mut labels = host.split(['.', '-']);
    let first = labels.next().unwrap_or_default();
    let scale = |label: &str| label.strip_suffix('x').is_some_and(digits);
    let second = labels.next().unwrap_or_default();
    scale(first) || digits(first) && (scale(second) || digits(second))
}

/// Whether `label` is a top-level domain in use: a country, one of the common others, or one in another script.
fn is_top_level(label: &str) -> bool {
    if !label.is_ascii() {
        return label.chars().count() >= 2 && label.chars().all(char::is_alphabetic);
    }
    let lower = label.to_ascii_lowercase();
    // `mT` is a method; `Com` can at most start a sentence.
    if label[1..] != lower[1..] && label != label.to_ascii_uppercase() {
        return false;
    }
    lower.len() > 4 && lower.starts_with("xn--")
        || match lower.len() {
            2 => is_listed(COUNTRIES, &lower),
            _ => is_listed(GENERIC, &lower),
        }
}

/// Whether `rest`, after a host name that ends in `top`, shows that it is not a mail address but a path (`git@host:path`), a
/// longer name (`ann@host.org.png`), or a call (`x@y.to(z)`).
fn goes_on_as_code(rest: &str, top: &str) -> bool {
    const METHODS: &str = "as at do fm id in info is it la link me my name no pro run so st to tv ws";
    let rest = &rest[..rest.floor_char_boundary(MAX_TOKEN)];
    let mut chars = rest.chars();
    match chars.next() {
        Some(':') => {
            let path = rest[1..].split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '>' | ')' | ',')).next();
            let path = path.unwrap_or_default();
            let port = path.bytes().take_while(u8::is_ascii_digit).count();
            port < path.len()
                && (port == 0 || !path[port..].starts_with('/'))
                && (path.contains('/') || path.starts_with('~') || path.ends_with(".git"))
        }
        Some('.') => chars.next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
        Some('_') => true,
        Some('(' | '[') => {
            is_listed(METHODS, top) || char_after(rest, 1).is_some_and(|c| c.is_ascii_digit() || c == ')')
        }
        _ => false,
    }
}

/// Top-level domains of countries and territories.
const COUNTRIES: &str = "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt \
    bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo \
    fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp \
    ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv \
    mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc \
    sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz \
    va vc ve vg vi vn vu wf ws ye yt za zm zw";

/// Country domains that are more likely file extensions if only one label precedes them.
const FILES: &str = "la mm pm ps py sh so tf";

/// Other top-level domains with mail addresses, except those that are file extensions or words of programming languages.
const GENERIC: &str = "academy aero agency amsterdam apartments app arpa art arts asia attorney auto baby band bank bar barcelona \
    bayern beauty beer berlin best bible bike bio biz blog boutique brussels builders bzh cafe capetown capital \
    car care cars cat catering center charity chat church city cleaning clinic clothing cloud club coach coffee \
    college cologne com community company construction consulting contractors coop courses cruises cymru delivery \
    dental design dev digital directory doctor domains durban eco edu education email energy engineer engineering \
    estate eus expert express family farm fashion film finance financial fitness flights food foundation frl fund \
    gal gallery game games garden gifts global gov green group guide guru hair hamburg health holiday homes \
    hospital host hosting hotel house industries info ink institute insurance int international irish istanbul \
    jewelry jobs joburg kids kitchen koeln land law lawyer legal life limo live london madrid marketing media \
    melbourne mil mobi money moscow movie museum music name net network news ngo nyc one ong online org paris \
    pharmacy photography photos pizza play plumbing plus post press pro properties property pub quebec recipes \
    rent repair restaurant reviews ruhr saarland salon school science scot services shoes shop site social \
    software solar solutions spa space store studio support swiss sydney systems taxi tech technology tel theater \
    tirol today tokyo top tours town training travel university vacations ventures vip vlaanderen wales website \
    wedding wien wine work works world xyz yoga zone";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_level_domains() {
        for label in ["com", "COM", "de", "museum", "xn--p1ai", "рф", "中国"] {
            assert!(is_top_level(label), "{label}");
        }
        for label in ["png", "mT", "reshape", "data", "z", "js", "local", "é"] {
            assert!(!is_top_level(label), "{label}");
        }
    }
}
