//! How many digits of an amount stand behind the point, by currency.
//!
//! Stripe counts every amount in the smallest unit that it takes of a currency: mostly hundredths, but whole units for some
//! and thousandths for others. The lists are data, as Stripe publishes them: <https://docs.stripe.com/currencies#zero-decimal>
//! and <https://docs.stripe.com/currencies#three-decimal>.
//!
//! Króna and Ugandan shilling have no parts any more and are none the less counted in hundredths there
//! (<https://docs.stripe.com/currencies#special-cases>), as are forints and new Taiwan dollars: they are in neither list.

/// Currencies that Stripe counts in whole units.
const WITHOUT_PARTS: [&str; 15] =
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"];

/// Currencies that Stripe counts in thousandths.
const IN_THOUSANDTHS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

/// How many digits of Stripe's amounts in a currency (ISO 4217, in any case) stand behind the point.
pub fn decimals(currency: &str) -> u32 {
    let is_in = |list: &[&str]| list.iter().any(|one| one.eq_ignore_ascii_case(currency));
    if is_in(&WITHOUT_PARTS) {
        0
    } else if is_in(&IN_THOUSANDTHS) {
        3
    } else {
        2
    }
}

/// An amount of Stripe's as people write it: `10.00 USD`, `1000 JPY`, `1.000 KWD`.
pub fn written(amount: i64, currency: &str) -> String {
    let (sign, amount) = (if amount < 0 { "-" } else { "" }, amount.unsigned_abs());
    let name = currency.to_uppercase();
    match decimals(currency) {
        0 => format!("{sign}{amount} {name}"),
        digits => {
            let one = 10_u64.pow(digits);
            format!("{sign}{}.{:0width$} {name}", amount / one, amount % one, width = digits as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_currency_has_its_own_parts() {
        for (amount, currency, text) in [
            (0, "usd", "0.00 USD"),
            (5, "usd", "0.05 USD"),
            (1_999, "usd", "19.99 USD"),
            (-150, "usd", "-1.50 USD"),
            (1_000, "jpy", "1000 JPY"),
            (1_000, "JPY", "1000 JPY"),
            (-7, "krw", "-7 KRW"),
            (1_000, "kwd", "1.000 KWD"),
            (5, "bhd", "0.005 BHD"),
            (500, "isk", "5.00 ISK"),
            (500, "ugx", "5.00 UGX"),
            (1_000, "huf", "10.00 HUF"),
            (1_000, "twd", "10.00 TWD"),
            (i64::MIN, "jpy", "-9223372036854775808 JPY"),
        ] {
            assert_eq!(written(amount, currency), text);
        }
    }

    proptest! {
        #[test]
        fn the_digits_are_those_of_the_amount(amount: i64, currency in "[a-zA-Z]{3}") {
            let text = written(amount, &currency);
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            prop_assert_eq!(digits.parse::<u64>().unwrap(), amount.unsigned_abs());
            let behind = text.split_once('.').map_or(0, |(_, behind)| behind.len() - 4);
            prop_assert_eq!(u32::try_from(behind).unwrap(), decimals(&currency));
        }
    }
}
