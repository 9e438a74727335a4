//! One trial for each person: what the spellings of one mailbox have in common.
//!
//! A key is for comparing, never for writing to. It joins only what is sure to reach one mailbox, so that nobody is
//! refused for a stranger's trial:
//!
//! | host | joined | source |
//! |---|---|---|
//! | gmail.com, googlemail.com | dots, `+tag`, both names | <https://support.google.com/mail/answer/7436150>, <https://support.google.com/mail/answer/10313> |
//! | outlook.com, hotmail.com, live.com, msn.com | `+tag` | <https://learn.microsoft.com/exchange/recipients-in-exchange-online/plus-addressing-in-exchange-online> |
//! | icloud.com, me.com, mac.com | `+tag`, the three names | <https://support.apple.com/en-us/102545> |
//! | proton.me, protonmail.com, pm.me | `+tag`, the three names | <https://proton.me/support/addresses-and-aliases> |
//! | fastmail.com, fastmail.fm | `+tag`; `any@name.fastmail.com` is `name@fastmail.com` | <https://www.fastmail.help/hc/en-us/articles/360060591053> |
//!
//! Elsewhere dots and tags may be other people's: they stay. Domains are compared as DNS does, in ASCII: a domain in
//! another script and its `xn--` form are one (RFC 5891), full-width letters are plain ones (UTS 46). A domain that only
//! looks like one of these hosts (`gmаil.com` with a Cyrillic а) counts as that host: nobody has such a domain by chance.

use core::fmt;

use crate::account::Email;

/// What the spellings of one person's address have in common, as `local@domain`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonKey(String);

impl PersonKey {
    /// The key of an address.
    pub fn of(email: &Email) -> Self {
        let (local, domain) = email.as_str().rsplit_once('@').unwrap_or_default();
        let local: String = local.chars().map(narrow).flat_map(char::to_lowercase).collect();
        let domain: String = domain.chars().map(narrow).flat_map(char::to_lowercase).collect();
        let (owner, host) = known_host(&domain);
        let Some(host) = host else { return Self(format!("{local}@{}", ascii(&domain))) };
        let bare = owner.map_or_else(|| without_tag(&local).to_owned(), |owner| without_tag(&owner).to_owned());
        let bare = match bare.replace('.', "") {
            dotless if host.ignores_dots && !dotless.is_empty() => dotless,
            _ => bare,
        };
        Self(format!("{bare}@{}", host.name))
    }

    /// The key as text: what is stored, and unique.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its domain, in ASCII and lower case.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host whose rules are known.
struct Host {
    name: &'static str,
    also: &'static [&'static str],
    ignores_dots: bool,
    has_subdomains: bool,
}

const fn host(name: &'static str, also: &'static [&'static str]) -> Host {
    Host { name, also, ignores_dots: false, has_subdomains: false }
}

const HOSTS: [Host; 9] = [
    Host { ignores_dots: true, ..host("gmail.com", &["googlemail.com"]) },
    host("outlook.com", &[]),
    host("hotmail.com", &[]),
    host("live.com", &[]),
    host("msn.com", &[]),
    host("icloud.com", &["me.com", "mac.com"]),
    host("proton.me", &["protonmail.com", "pm.me"]),
    Host { has_subdomains: true, ..host("fastmail.com", &[]) },
    Host { has_subdomains: true, ..host("fastmail.fm", &[]) },
];

/// The host of a domain; and whose mailbox it is where the domain says so.
fn known_host(domain: &str) -> (Option<String>, Option<&'static Host>) {
    let seen = looks_like(domain);
    for host in &HOSTS {
        if host.name == seen || host.also.contains(&seen.as_str()) {
            return (None, Some(host));
        }
        let owner = seen.strip_suffix(host.name).and_then(|rest| rest.strip_suffix('.'));
        if let Some(owner) = owner.filter(|owner| host.has_subdomains && !owner.contains('.') && !owner.is_empty()) {
            return (Some(owner.to_owned()), Some(host));
        }
    }
    (None, None)
}

/// The local part before its tag. A tag alone is no name: it stays.
fn without_tag(local: &str) -> &str {
    match local.split_once('+') {
        Some((name, _)) if !name.is_empty() => name,
        _ => local,
    }
}

/// Full-width ASCII (U+FF01 to U+FF5E) as ASCII.
fn narrow(c: char) -> char {
    match u32::from(c) {
        code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

/// A domain with the letters that it looks like; `xn--` labels are read first.
fn looks_like(domain: &str) -> String {
    let labels = domain.split('.').map(|label| {
        let decoded = label.strip_prefix("xn--").and_then(punycode::decode);
        decoded.as_deref().unwrap_or(label).chars().map(twin).collect::<String>()
    });
    labels.collect::<Vec<_>>().join(".")
}

/// The Latin letter that a Cyrillic, Greek or other one is drawn like, of those in the names of [`HOSTS`]
/// (<https://www.unicode.org/reports/tr39/#Confusable_Detection>).
const fn twin(c: char) -> char {
    match c {
        'а' | 'α' | 'ɑ' => 'a',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ҽ' => 'e',
        'ɡ' => 'g',
        'һ' => 'h',
        'і' | 'ι' | 'ı' => 'i',
        'к' | 'κ' => 'k',
        'ӏ' => 'l',
        'м' => 'm',
        'ո' => 'n',
        'о' | 'ο' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'ս' => 'u',
        'ν' | 'ѵ' => 'v',
        other => other,
    }
}

/// A domain in ASCII: labels in another script as `xn--` (RFC 5891).
fn ascii(domain: &str) -> String {
    let labels = domain
        .split('.')
        .map(|label| if label.is_ascii() { label.to_owned() } else { format!("xn--{}", punycode::encode(label)) });
    labels.collect::<Vec<_>>().join(".")
}

/// Punycode (RFC 3492): other scripts in ASCII. Labels have 63 bytes at most, so no number here grows past 32 bits.
pub(crate) mod punycode {
    const BASE: u32 = 36;
    const T_MIN: u32 = 1;
    const T_MAX: u32 = 26;
    const SKEW: u32 = 38;
    const DAMP: u32 = 700;
    const FIRST_BIAS: u32 = 72;
    const FIRST_CODE: u32 = 128;

    /// Section 6.1.
    const fn adapted(delta: u32, points: u32, is_first: bool) -> u32 {
        let mut delta = if is_first { delta / DAMP } else { delta / 2 };
        delta += delta / points;
        let mut k = 0;
        while delta > ((BASE - T_MIN) * T_MAX) / 2 {
            delta /= BASE - T_MIN;
            k += BASE;
        }
        k + (((BASE - T_MIN + 1) * delta) / (delta + SKEW))
    }

    fn threshold(k: u32, bias: u32) -> u32 {
        k.saturating_sub(bias).clamp(T_MIN, T_MAX)
    }

    /// Letters come first: a to z are 0 to 25, 0 to 9 are 26 to 35.
    fn digit(value: u32) -> char {
        let (first, place) = if value < 26 { ('a', value) } else { ('0', value - 26) };
        char::from_u32(u32::from(first) + place).unwrap_or(first)
    }

    fn value(digit: char) -> Option<u32> {
        match digit {
            'a'..='z' => Some(u32::from(digit) - u32::from('a')),
            '0'..='9' => Some(u32::from(digit) - u32::from('0') + 26),
            _ => None,
        }
    }

    fn count(text: &str) -> u32 {
        u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
    }

    /// Section 6.3.
    pub(crate) fn encode(label: &str) -> String {
        let mut out: String = label.chars().filter(char::is_ascii).collect();
        let basic = count(&out);
        if basic > 0 {
            out.push('-');
        }
        let (mut code, mut delta, mut bias, mut done) = (FIRST_CODE, 0_u32, FIRST_BIAS, basic);
        while let Some(next) = label.chars().map(u32::from).filter(|c| *c >= code).min() {
            delta = delta.saturating_add((next - code).saturating_mul(done + 1));
            code = next;
            for c in label.chars().map(u32::from) {
                if c < code {
                    delta = delta.saturating_add(1);
                }
                if c == code {
                    let (mut rest, mut k) = (delta, BASE);
                    loop {
                        let t = threshold(k, bias);
                        if rest < t {
                            break;
                        }
                        out.push(digit(t + (rest - t) % (BASE - t)));
                        rest = (rest - t) / (BASE - t);
                        k += BASE;
                    }
                    out.push(digit(rest));
                    bias = adapted(delta, done + 1, done == basic);
                    delta = 0;
                    done += 1;
                }
            }
            delta = delta.saturating_add(1);
            code += 1;
        }
        out
    }

    /// Section 6.2; `None` for what is not punycode.
    pub(crate) fn decode(text: &str) -> Option<String> {
        let (basic, rest) = text.rsplit_once('-').unwrap_or(("", text));
        if !text.is_ascii() || text.len() > 63 {
            return None;
        }
        let mut out: Vec<char> = basic.chars().collect();
        let (mut code, mut index, mut bias) = (FIRST_CODE, 0_u32, FIRST_BIAS);
        let mut digits = rest.chars();
        while !digits.as_str().is_empty() {
            let (before, mut weight, mut k) = (index, 1_u32, BASE);
            loop {
                let digit = value(digits.next()?)?;
                index = index.checked_add(digit.checked_mul(weight)?)?;
                let t = threshold(k, bias);
                if digit < t {
                    break;
                }
                weight = weight.checked_mul(BASE - t)?;
                k += BASE;
            }
            let points = u32::try_from(out.len()).ok()? + 1;
            bias = adapted(index - before, points, before == 0);
            code = code.checked_add(index / points)?;
            index %= points;
            out.insert(usize::try_from(index).ok()?, char::from_u32(code)?);
            index += 1;
        }
        Some(out.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(address: &str) -> String {
        PersonKey::of(&Email::parse(address).unwrap()).to_string()
    }

    #[test]
    fn ten_spellings_of_one_person() {
        for spelling in [
            "ada.lovelace@gmail.com",
            "adalovelace@gmail.com",
            "AdaLovelace@Gmail.com",
            "a.d.a.l.o.v.e.l.a.c.e@gmail.com",
            "ada.lovelace+trial2@gmail.com",
            "adalovelace@googlemail.com",
            "Ada.Lovelace+x+y@GoogleMail.com",
            "ada.lovelace@ｇｍａｉｌ.com",
            "ada.lovelace@gm\u{430}il.com",
            "ada.lovelace@xn--gmil-63d.com",
            "ａｄａ.lovelace@gmail.com",
        ] {
            assert_eq!(key(spelling), "adalovelace@gmail.com", "{spelling}");
        }
    }

    #[test]
    fn each_host_by_its_own_rules() {
        for (address, expected) in [
            ("ada.l+x@outlook.com", "ada.l@outlook.com"),
            ("ada.l+x@hotmail.com", "ada.l@hotmail.com"),
            ("ada+x@live.com", "ada@live.com"),
            ("ada+x@msn.com", "ada@msn.com"),
            ("ada.l+x@me.com", "ada.l@icloud.com"),
            ("ada.l@mac.com", "ada.l@icloud.com"),
            ("ada+x@pm.me", "ada@proton.me"),
            ("ada@protonmail.com", "ada@proton.me"),
            ("ada+x@fastmail.com", "ada@fastmail.com"),
            ("shop@ada.fastmail.com", "ada@fastmail.com"),
            ("ada@fastmail.fm", "ada@fastmail.fm"),
        ] {
            assert_eq!(key(address), expected);
        }
    }

    #[test]
    fn strangers_stay_strangers() {
        for (one, other) in [
            ("ada.l@example.com", "adal@example.com"),
            ("ada+x@example.com", "ada@example.com"),
            ("ada.l@outlook.com", "adal@outlook.com"),
            ("ada@outlook.com", "ada@hotmail.com"),
            ("ada@gmail.com", "ada@gmail.co"),
            ("ada@mail.gmail.com", "ada@gmail.com"),
            ("a@b.c.fastmail.com", "b.c@fastmail.com"),
            ("ada@notgmail.com", "ada@gmail.com"),
        ] {
            assert_ne!(key(one), key(other));
        }
        assert_eq!(key("+tag@gmail.com"), "+tag@gmail.com", "a tag alone is no name");
        assert_eq!(key("...@gmail.com"), "...@gmail.com");
    }

    #[test]
    fn a_domain_in_another_script_is_its_ascii_form() {
        assert_eq!(key("ada@BÜCHER.example"), "ada@xn--bcher-kva.example");
        assert_eq!(key("ada@xn--bcher-kva.example"), "ada@xn--bcher-kva.example");
        assert_eq!(key("ada@ПРИМЕР.example"), key("ada@xn--e1afmkfd.example"));
    }

    /// Vectors of Python's codec `punycode`, and of RFC 3492, section 7.1 (B) and (E).
    #[test]
    fn punycode_vectors() {
        for (text, encoded) in [
            ("bücher", "bcher-kva"),
            ("münchen", "mnchen-3ya"),
            ("пример", "e1afmkfd"),
            ("ёлка", "80atc1g"),
            ("例え", "r8jz45g"),
            ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
            ("למההםפשוטלאמדבריםעברית", "4dbcagdahymbxekheh6e0a7fei0b"),
        ] {
            assert_eq!(punycode::encode(text), encoded);
            assert_eq!(punycode::decode(encoded).as_deref(), Some(text));
        }
        for text in ["ü", "\u{10ffff}", "99999999", "a-9"] {
            let _ = punycode::decode(text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn dots_tags_and_case_never_matter_at_gmail(
            name in "[a-z0-9]{1,20}", dots in proptest::collection::vec(any::<bool>(), 20),
            upper in proptest::collection::vec(any::<bool>(), 20), tag in "(\\+[a-z0-9.+]{0,10})?", other: bool,
        ) {
            let mut local = String::new();
            for (index, c) in name.chars().enumerate() {
                if index > 0 && dots[index] { local.push('.'); }
                local.push(if upper[index] { c.to_ascii_uppercase() } else { c });
            }
            let domain = if other { "GoogleMail.com" } else { "gmail.com" };
            prop_assert_eq!(key(&format!("{local}{tag}@{domain}")), format!("{name}@gmail.com"));
        }

        #[test]
        fn a_key_is_its_own_key(local in "[a-zA-Z0-9.+_äß-]{1,20}", domain in "[a-zA-Z0-9éжλ例]{1,12}\\.(com|fastmail\\.com|рф)") {
            if let Ok(email) = Email::parse(&format!("{local}@{domain}")) {
                let once = PersonKey::of(&email);
                if let Ok(again) = Email::parse(once.as_str()) {
                    prop_assert_eq!(PersonKey::of(&again), once);
                }
            }
        }

        #[test]
        fn punycode_round_trips(label in "[a-zß-ɏа-яα-ω例えü]{1,15}") {
            if !label.is_ascii() {
                prop_assert_eq!(punycode::decode(&punycode::encode(&label)), Some(label));
            }
        }

        #[test]
        fn nothing_panics(text: String, local in "\\PC{1,20}", domain in "\\PC{1,20}", label in "[a-z0-9-]{0,63}") {
            for address in [text, format!("{local}@{domain}.com"), format!("a@xn--{label}.com")] {
                if let Ok(email) = Email::parse(&address) {
                    let _ = PersonKey::of(&email);
                }
            }
            let _ = punycode::decode(&label);
        }
    }
}
