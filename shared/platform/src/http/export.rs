//! Files that are written while they are read: CSV and JSON, page by page.

use serde::Serialize;
use tollgate_api::{Code, Problem};

use super::{Pump, Reply, Scope, csv_text, pipe};
use crate::log;

/// What a file is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a line of names.
    Csv,
    /// An array.
    Json,
}

impl Format {
    /// Reads the parameter `format`; CSV when it is left out.
    ///
    /// # Errors
    /// 400.
    pub fn parse(asked: Option<&str>) -> Result<Self, Problem> {
        match asked {
            None | Some("csv") => Ok(Self::Csv),
            Some("json") => Ok(Self::Json),
            Some(_) => Err(Problem::new(Code::BadRequest, "format must be csv or json.")),
        }
    }
}

/// What is exported: pages of rows, and how a row reads as CSV.
#[expect(async_fn_in_trait, reason = "workers have one thread: nothing asks for Send")]
pub trait Export: 'static {
    /// A row, as the API answers it.
    type Row: Serialize;
    /// The file's name without its ending.
    const FILE: &'static str;
    /// The names of the columns.
    const COLUMNS: &'static [&'static str];

    /// A row's fields in the order of the columns, as they are: quoting is done here.
    fn fields(row: &Self::Row) -> Vec<String>;

    /// The next page; `None` at the end. It holds as many rows as may be in memory.
    async fn next(&mut self, scope: &Scope) -> Result<Option<Vec<Self::Row>>, Problem>;
}

/// Answers a file that goes on being written after the answer has begun. The first page is read before: a database that is
/// away is a 503, not a file that breaks off.
///
/// # Errors
/// Why the first page could not be read.
pub async fn export<E: Export>(scope: &Scope, format: Format, mut source: E) -> Result<Reply, Problem> {
    let first = source.next(scope).await?;
    let (pump, readable) = pipe().map_err(|error| {
        log::error("export", &format!("{error:?}"), Some(scope));
        Problem::internal()
    })?;
    let writer = scope.clone();
    scope.wait_until(async move { write(&writer, format, source, first, pump).await });
    let (content_type, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Json => ("application/json", "json"),
    };
    let disposition = format!("attachment; filename=\"{}.{ending}\"", E::FILE);
    Ok(Reply::stream(content_type, readable).with("content-disposition", &disposition))
}

async fn write<E: Export>(scope: &Scope, format: Format, mut source: E, first: Option<Vec<E::Row>>, mut pump: Pump) {
    pump.write(&match format {
        Format::Csv => format!("{}\r\n", E::COLUMNS.join(",")),
        Format::Json => "[".to_owned(),
    })
    .await;
    let mut page = first;
    let mut separator = "\n";
    while let Some(rows) = page {
        let mut text = String::new();
        for row in &rows {
            match format {
                Format::Csv => {
                    let fields: Vec<_> = E::fields(row).iter().map(|field| csv_text(field)).collect();
                    text.push_str(&fields.join(","));
                    text.push_str("\r\n");
                }
                Format::Json => {
                    text.push_str(separator);
                    text.push_str(&serde_json::to_string(row).unwrap_or_default());
                    separator = ",\n";
                }
            }
        }
        pump.write(&text).await;
        if pump.is_gone() {
            break;
        }
        page = match source.next(scope).await {
            Ok(page) => page,
            // The file must not look whole: the line breaks off.
            Err(_) => return pump.abort().await,
        };
    }
    if format == Format::Json {
        pump.write("\n]\n").await;
    }
    pump.close().await;
}
