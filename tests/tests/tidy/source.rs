//! Takes Rust source apart into code, comments and string literals, so that a check looks only where it means to.
//!
//! Deliberately absent: any grammar beyond where a comment or a literal begins and ends.

use std::iter::Peekable;
use std::str::Chars;

/// What a piece of source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Neither comment nor string.
    Code,
    /// A comment of either form, documentation included.
    Comment,
    /// The inside of a string literal.
    Literal,
}

/// A piece and the line that it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// The part before a test module that ends the file.
pub(crate) fn without_tests(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod tests {").map_or(text, |(before, _)| before)
}

/// Whether the path is one of a test's.
pub(crate) fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

/// The pieces of a source text, in order.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let mut reader =
        Reader { rest: text.chars().peekable(), line: 1, began: 1, piece: String::new(), done: Vec::new() };
    reader.read();
    reader.done
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    began: usize,
    piece: String,
    done: Vec<Piece>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(character) = self.next() {
            match character {
                '/' if self.rest.peek() == Some(&'/') => self.comment(),
                '/' if self.rest.peek() == Some(&'*') => self.block_comment(),
                '"' => self.literal(),
                'r' if !self.piece.chars().next_back().is_some_and(goes_on_a_word) || self.is_after_prefix() => {
                    self.piece.push('r');
                    self.raw_literal();
                }
                '\'' => self.character(),
                other => self.piece.push(other),
            }
        }
        self.end(Kind::Code);
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.next()?;
        if character == '\n' {
            self.line += 1;
        }
        Some(character)
    }

    fn end(&mut self, kind: Kind) {
        let text = std::mem::take(&mut self.piece);
        if !text.is_empty() || kind == Kind::Literal {
            self.done.push(Piece { kind, line: self.began, text });
        }
        self.began = self.line;
    }

    /// `b` and `c` may stand before the `r` of a raw string.
    fn is_after_prefix(&self) -> bool {
        let mut before = self.piece.chars().rev();
        matches!(before.next(), Some('b' | 'c')) && !before.next().is_some_and(goes_on_a_word)
    }

    fn comment(&mut self) {
        self.end(Kind::Code);
        self.piece.push('/');
        while self.rest.peek().is_some_and(|next| *next != '\n') {
            let next = self.next();
            self.piece.extend(next);
        }
        self.end(Kind::Comment);
    }

    fn block_comment(&mut self) {
        self.end(Kind::Code);
        let mut depth = 0_usize;
        let mut before = '/';
        while let Some(character) = self.next() {
            self.piece.push(character);
            match (before, character) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            // The slash of an end is not the beginning of another comment.
            before = if (before, character) == ('*', '/') { ' ' } else { character };
        }
        self.end(Kind::Comment);
    }

    fn literal(&mut self) {
        self.end(Kind::Code);
        while let Some(character) = self.next() {
            match character {
                '"' => break,
                '\\' => {
                    // A line that goes on: its indentation is no part of the text.
                    if self.rest.peek() == Some(&'\n') {
                        while self.rest.peek().is_some_and(|next| next.is_whitespace()) {
                            self.next();
                        }
                    } else {
                        self.next();
                        self.piece.push('\\');
                    }
                }
                other => self.piece.push(other),
            }
        }
        self.end(Kind::Literal);
    }

    fn raw_literal(&mut self) {
        let mut hashes = 0;
        while self.rest.peek() == Some(&'#') {
            self.next();
            hashes += 1;
        }
        if self.rest.peek() != Some(&'"') {
            return;
        }
        self.next();
        self.end(Kind::Code);
        let end: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
        while let Some(character) = self.next() {
            self.piece.push(character);
            if self.piece.ends_with(&end) {
                self.piece.truncate(self.piece.len() - end.len());
                break;
            }
        }
        self.end(Kind::Literal);
    }

    /// A character, or the beginning of a lifetime.
    fn character(&mut self) {
        let mut ahead = self.rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some('\\'), _) => {
                self.next();
                self.next();
                while self.next().is_some_and(|character| character != '\'') {}
            }
            (Some(_), Some('\'')) => {
                self.next();
                self.next();
            }
            _ => {}
        }
    }
}

fn goes_on_a_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
