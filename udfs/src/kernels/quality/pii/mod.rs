//! Removal of personal data: mail addresses, IP addresses, phone numbers. Precision comes first: what is replaced is
//! written in a form that is hardly ever anything else.
//!
//! - **Mail address** (`email`): a name, `@`, and a host name that ends in a top-level domain in use. Package versions,
//!   file names, calls in programs, git remotes and the users of other URLs than those of the web stay.
//! - **IP address** (`ip`): four decimal octets without leading zeros, or an IPv6 address in any of its forms, where it
//!   is globally reachable; private, loopback, link-local, shared, documentation, benchmark, multicast and reserved
//!   ones name no one and stay (datatrove's formatter has the same default). So do four numbers that what stands
//!   around them makes a version or a section. A port or prefix length behind the address stays.
//! - **Phone number** (`phone`): `+`, an assigned country code and as many digits as numbers of that country have; the
//!   North American form of three, three and four digits with separators; and, right behind a word such as `Tel.`, a
//!   number of another country that starts with 0. Separators are single spaces, no-break spaces, hyphens, full stops,
//!   and parentheses around an area code.
//!
//! `table.tsv` holds strings of our own of each kind, and a test the precision and recall on them. Kinds are replaced in
//! this order; each step is one pass.

mod email;
mod ip;
mod phone;
mod text;

use std::borrow::Cow;

use email::next_email;
use ip::next_ip;
use phone::next_phone;

/// The placeholder for a mail address.
pub const EMAIL: &str = "<EMAIL>";
/// The placeholder for an IP address.
pub const IP: &str = "<IP>";
/// The placeholder for a phone number.
pub const PHONE: &str = "<PHONE>";

/// Which kinds of personal data to replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kinds {
    /// Mail addresses.
    pub email: bool,
    /// IP addresses.
    pub ip: bool,
    /// Phone numbers.
    pub phone: bool,
}

impl Kinds {
    /// All of them.
    pub const ALL: Self = Self { email: true, ip: true, phone: true };

    /// Parses a list like `email,ip`. The error is the first entry that is not `email`, `ip` or `phone`.
    pub fn parse(list: &str) -> Result<Self, &str> {
        let mut kinds = Self { email: false, ip: false, phone: false };
        for kind in list.split(',') {
            match kind.trim() {
                "email" => kinds.email = true,
                "ip" => kinds.ip = true,
                "phone" => kinds.phone = true,
                other => return Err(other),
            }
        }
        Ok(kinds)
    }
}

/// Replaces personal data of the chosen kinds; borrows `text` if there is none.
pub fn redact(text: &str, kinds: Kinds) -> Cow<'_, str> {
    let steps: [(bool, Finder, &str); 3] =
        [(kinds.email, next_email, EMAIL), (kinds.ip, next_ip, IP), (kinds.phone, next_phone, PHONE)];
    let mut text = Cow::Borrowed(text);
    for (_, find, placeholder) in steps.into_iter().filter(|(chosen, ..)| *chosen) {
        if let Some(replaced) = replace(&text, find, placeholder) {
            text = Cow::Owned(replaced);
        }
    }
    text
}

/// Finds the next match at or after a byte position and returns its start and end.
type Finder = fn(&str, usize) -> Option<(usize, usize)>;

fn replace(text: &str, find: Finder, placeholder: &str) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    while let Some((start, end)) = find(text, done) {
        out.push_str(&text[done..start]);
        out.push_str(placeholder);
        done = end;
    }
    if done == 0 {
        return None;
    }
    out.push_str(&text[done..]);
    Some(out)
}

#[cfg(test)]
mod tests;
