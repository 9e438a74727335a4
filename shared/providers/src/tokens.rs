//! Estimating tokens from text, for reservations and for answers whose provider reports no usage.
//!
//! A tokenizer is out of the question: each provider has its own, the tables are megabytes and the request budget is a millisecond.
//! But where tokens must end is the same for all that are made like OpenAI's `o200k_base`: after three digits, between a word and
//! what is no word, before a capital in the middle of a word. So a text is read once, character by character, and each adds how
//! likely a token begins with it: certain at these places, a matter of letters and scripts within a word ([`letters`], [`han`]).
//! That is right within -10 % and +30 % on prose, code, JSON, hexadecimal and base64 (`tests/token_estimates.rs` has the table).

mod han;
mod letters;

/// What one token is counted as.
const TOKEN: u64 = 1_024;

/// A share of a token, in percent.
const fn percent(percent: u64) -> u64 {
    TOKEN * percent / 100
}

/// What a character is to the tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Upper,
    Lower,
    /// A letter without a case, or a mark on one.
    Letter,
    Digit,
    LineBreak,
    Blank,
    Sign,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            'a'..='z' => Self::Lower,
            'A'..='Z' => Self::Upper,
            '0'..='9' => Self::Digit,
            '\n' | '\r' => Self::LineBreak,
            ' ' | '\t' | '\u{b}' | '\u{c}' => Self::Blank,
            '\0'..='\x7f' => Self::Sign,
            _ if c.is_lowercase() => Self::Lower,
            _ if c.is_uppercase() => Self::Upper,
            _ if c.is_alphabetic() || is_mark(c) => Self::Letter,
            _ if c.is_whitespace() => Self::Blank,
            _ if c.is_numeric() => Self::Digit,
            _ => Self::Sign,
        }
    }

    const fn is_letter(self) -> bool {
        matches!(self, Self::Upper | Self::Lower | Self::Letter)
    }
}

/// Marks that stand on a letter before them and are no letters of their own to Rust.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}' | '\u{fe00}'..='\u{fe0f}')
}

/// How far a letter outside ASCII tells that a text is not English, in characters. German has one in 65; its words, and those of
/// its neighbours, take more tokens.
const FOREIGN_REACH: u32 = 250;

/// A running count of text, so that a stream can be tallied without keeping it: the same however it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TextTally {
    /// In parts of a [`TOKEN`].
    sum: u64,
    /// The character before, and what it is.
    last: Option<(char, Kind)>,
    /// How often it came in a row.
    same: u32,
    /// How many of its kind came in a row: blanks, signs, digits, letters of one word.
    run: u32,
    /// Whether a blank stood before the signs.
    is_spaced: bool,
    /// How long the text still counts as not English.
    foreign: u32,
}

impl TextTally {
    pub(crate) fn add(&mut self, text: &str) {
        text.chars().for_each(|c| self.character(c));
    }

    /// What follows is another text: no token reaches into it.
    pub(crate) fn gap(&mut self) {
        self.last = None;
    }

    /// Tokens; any text at all is at least one.
    pub(crate) fn tokens(self) -> u64 {
        (self.sum.saturating_add(TOKEN / 2) / TOKEN).max(u64::from(self.sum > 0))
    }

    fn character(&mut self, c: char) {
        let kind = Kind::of(c);
        let before = self.last;
        self.same = if before.is_some_and(|(last, _)| last == c) { self.same.saturating_add(1) } else { 1 };
        self.foreign = if matches!(c, '\u{c0}'..='\u{24f}') { FOREIGN_REACH } else { self.foreign.saturating_sub(1) };
        self.sum += match before {
            Some((last, was)) if kind.is_letter() => self.letter(c, kind, last, was),
            Some((_, was)) => self.other(c, kind, was),
            None => {
                self.run = 1;
                self.is_spaced = false;
                if kind.is_letter() { han::first(c).unwrap_or(TOKEN) } else { TOKEN }
            }
        };
        self.last = Some((c, kind));
    }

    /// What a letter adds.
    fn letter(&mut self, c: char, kind: Kind, last: char, was: Kind) -> u64 {
        let (blanks, signs) = (self.run, self.run);
        let goes_on = was.is_letter() && !(was == Kind::Lower && kind == Kind::Upper);
        self.run = if goes_on { self.run.saturating_add(1) } else { 1 };
        if let Some(alone) = han::first(c) {
            return match () {
                () if alone > TOKEN => alone,
                () if han::is_one_token(last) => percent(84),
                () if was == Kind::Blank => percent(45),
                () => TOKEN,
            };
        }
        let has_own_script = c >= '\u{3040}';
        match was {
            _ if goes_on => self.within(c, kind, last, was),
            // The last blank of several goes with the word.
            Kind::Blank if blanks > 1 => TOKEN,
            Kind::Blank => percent(if has_own_script { 45 } else { 0 }),
            // A single sign may go with the word after it.
            Kind::Sign if signs == 1 && !self.is_spaced => percent(if has_own_script { 90 } else { 45 }),
            _ => TOKEN,
        }
    }

    /// What a letter adds within a word.
    fn within(&self, c: char, kind: Kind, last: char, was: Kind) -> u64 {
        if self.same > 3 && c.is_ascii() {
            return TOKEN / 8;
        }
        let (Some(first), Some(second)) = (place(last), place(c)) else {
            // An accent weighs on the letter after it as well.
            return if self.same > 1 && !c.is_ascii() {
                TOKEN
            } else {
                script(c.max(if c < '\u{250}' { last } else { c }))
            };
        };
        let case = match (was, kind) {
            (Kind::Upper, Kind::Lower) => 1,
            (Kind::Upper, _) => 2,
            _ => 0,
        };
        let at = (self.run as usize - 2).min(letters::STRETCH.len() - 1);
        let factor = letters::BY_CASE_AND_PLACE[case][letters::STRETCH[at] as usize];
        let ends = u64::from(letters::ENDS_BETWEEN[first][second]) * u64::from(factor) / (256 * 64 / TOKEN);
        (if self.foreign > 0 { ends * 13 / 10 } else { ends }).min(TOKEN)
    }

    /// What anything but a letter adds.
    fn other(&mut self, c: char, kind: Kind, was: Kind) -> u64 {
        let blanks = self.run;
        self.run = if kind == was { self.run.saturating_add(1) } else { 1 };
        let goes_on = self.run > 1;
        match kind {
            // Three digits make a token.
            Kind::Digit if goes_on && c.is_ascii() => {
                if self.run % 3 == 1 {
                    TOKEN
                } else {
                    0
                }
            }
            Kind::Digit if goes_on => TOKEN / 2,
            Kind::LineBreak if goes_on => TOKEN / 16,
            // Line breaks go with the signs and the blanks before them.
            Kind::LineBreak if matches!(was, Kind::Sign | Kind::Blank) => 0,
            Kind::Blank if goes_on && c == ' ' => TOKEN / 48,
            Kind::Blank if goes_on => TOKEN / 15,
            Kind::Sign => self.sign(c, was, blanks),
            _ => TOKEN,
        }
    }

    fn sign(&mut self, c: char, was: Kind, blanks: u32) -> u64 {
        if self.run == 1 {
            self.is_spaced = was == Kind::Blank;
        }
        let goes_with_the_blank = self.run == 1 && was == Kind::Blank && blanks == 1;
        let in_a_row = self.same > 1;
        match c {
            '\u{200d}' | '\u{fe0f}' => percent(30),
            '\u{10000}'.. => percent(if was == Kind::Blank { 130 } else { 230 }),
            '\u{2e80}'.. => TOKEN,
            '\u{2070}'..'\u{2e80}' => percent(if in_a_row { 30 } else { 230 }),
            _ if goes_with_the_blank => 0,
            _ if self.run == 1 => TOKEN,
            _ if in_a_row => {
                if self.same < 4 {
                    TOKEN / 20
                } else {
                    TOKEN / 32
                }
            }
            // Code has pairs and threes that are tokens; what is longer is seldom one.
            _ => percent([6, 6, 27, 50, 70][(self.run as usize - 1).min(4)]),
        }
    }
}

/// A letter's place in the alphabet.
const fn place(c: char) -> Option<usize> {
    if c.is_ascii_alphabetic() { Some((c as usize | 0x20) - 'a' as usize) } else { None }
}

/// What a letter adds within a word, by its script: what texts in it take of `o200k_base`, rounded up.
const fn script(c: char) -> u64 {
    percent(match c {
        // What chooses between two forms of the character before it.
        '\u{fe00}'..='\u{fe0f}' => 0,
        // Cyrillic, Arabic, India's, Hebrew, Greek.
        '\u{400}'..='\u{52f}' => 19,
        '\u{600}'..='\u{77f}' => 20,
        '\u{900}'..='\u{dff}' => 25,
        '\u{590}'..='\u{5ff}' => 30,
        '\u{370}'..='\u{3ff}' => 32,
        // Latin with accents; Thai and Lao.
        '\0'..='\u{17f}' | '\u{e00}'..='\u{eff}' => 42,
        '\u{530}'..='\u{58f}' => 50,
        // Hangul and Kana; what Vietnamese and phonetic writing have beyond accents.
        '\u{ac00}'..='\u{d7af}' => 62,
        '\u{180}'..='\u{2ff}' | '\u{1e00}'..='\u{1fff}' => 65,
        '\u{3040}'..='\u{30ff}' => 66,
        '\u{300}'..='\u{36f}' | '\u{1100}'..='\u{11ff}' | '\u{ff00}'..='\u{ffef}' => 100,
        // The others' characters are two or three tokens each.
        _ => 290,
    })
}

/// Tokens of one text.
pub(crate) fn estimate(text: &str) -> u64 {
    let mut tally = TextTally::default();
    tally.add(text);
    tally.tokens()
}

#[cfg(test)]
mod tests;
