//! Parses the names of `key=value` folders.

use percent_encoding::percent_decode_str;

/// The folder value that stands for NULL.
pub(crate) const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Key and value of a folder `key=value`; `None` for other folders. Writers encode special characters with `%`, which is
/// decoded once; if the result is not valid text, the name is taken literally.
pub fn key_value(folder: &str) -> Option<(String, Option<String>)> {
    let (key, value) = folder.split_once('=').filter(|(key, _)| !key.is_empty())?;
    let value = (value != NULL).then(|| decoded(value));
    Some((decoded(key), value))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), |text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_decoded_once_and_whole() {
        let of = |folder: &str| key_value(folder);
        let value = |text: &str| Some(("p".to_owned(), Some(text.to_owned())));
        for (folder, text) in [
            ("p=AC%2FDC", "AC/DC"),
            ("p=%2Fusr%2Fbin", "/usr/bin"),
            ("p=dir%2F", "dir/"),
            ("p=a%2F%2Fb", "a//b"),
            ("p=a%2520b", "a%20b"),
            ("p=50%", "50%"),
            ("p=50%25", "50%"),
            ("p=x=y", "x=y"),
            ("p=", ""),
            ("p=NULL", "NULL"),
            ("p=..", ".."),
            ("p=%C3%A9", "é"),
            ("p=%FF", "%FF"),
        ] {
            assert_eq!(of(folder), value(text), "{folder}");
        }
        assert_eq!(of("p=__HIVE_DEFAULT_PARTITION__"), Some(("p".to_owned(), None)));
        assert_eq!(of("a%20b=1"), Some(("a b".to_owned(), Some("1".to_owned()))));
        assert_eq!((of("plain"), of("=1")), (None, None));
    }
}
