//! Everything that the tables hold, as lines of JSON that either database reads back. Tables and columns
//! are asked of the database itself, so a new one is not forgotten.

use std::collections::BTreeSet;

use futures_util::{Stream, StreamExt as _};
use sqlx::AssertSqlSafe;

use super::{Connection, DbError, DbResult, dialect, execute, on, rows};

/// A table and how its values are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its name: letters, digits and underscores.
    pub(crate) name: String,
    /// In their order.
    pub(crate) columns: Vec<Column>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name: letters, digits and underscores.
    pub(crate) name: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Text,
    /// Lower-case hex in JSON.
    Bytes,
}

/// Our tables, each after those that it refers to.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn tables(c: &mut Connection) -> DbResult<Vec<Table>> {
    let sql = dialect!(c,
        sqlite: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' \
                 AND name NOT LIKE '%sqlx%' ORDER BY name",
        postgres: "SELECT CAST(table_name AS TEXT) FROM information_schema.tables \
                 WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' \
                 AND table_name NOT LIKE '%sqlx%' ORDER BY table_name");
    let mut waiting: Vec<String> = on!(c => sqlx::query_scalar(sql).fetch_all(c).await)?;
    let mut placed = BTreeSet::new();
    let mut tables = Vec::new();
    while !waiting.is_empty() {
        let before = waiting.len();
        for name in std::mem::take(&mut waiting) {
            let needs = refers_to(c, &name).await?;
            if needs.iter().all(|other| *other == name || placed.contains(other)) {
                tables.push(Table { columns: columns(c, &name).await?, name: name.clone() });
                placed.insert(name);
            } else {
                waiting.push(name);
            }
        }
        if waiting.len() == before {
            return Err(DbError::Corrupt { what: "circle of references between tables", found: waiting.join(", ") });
        }
    }
    Ok(tables)
}

async fn refers_to(c: &mut Connection, table: &str) -> DbResult<Vec<String>> {
    let sql = dialect!(c,
        sqlite: "SELECT \"table\" FROM pragma_foreign_key_list($1)",
        postgres: "SELECT CAST(t.relname AS TEXT) FROM pg_constraint k JOIN pg_class s ON s.oid = k.conrelid \
                 JOIN pg_class t ON t.oid = k.confrelid WHERE k.contype = 'f' AND s.relname = $1 \
                 AND s.relnamespace = CAST(current_schema() AS regnamespace)");
    Ok(on!(c => sqlx::query_scalar(sql).bind(table).fetch_all(c).await)?)
}

async fn columns(c: &mut Connection, table: &str) -> DbResult<Vec<Column>> {
    let sql = dialect!(c,
        sqlite: "SELECT name, type FROM pragma_table_info($1) ORDER BY cid",
        postgres: "SELECT CAST(column_name AS TEXT), CAST(data_type AS TEXT) FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position");
    let rows: Vec<(String, String)> = on!(c => sqlx::query_as(sql).bind(table).fetch_all(c).await)?;
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let column = |(name, kind): (String, String)| {
        if !plain(&name) || !plain(table) {
            return Err(DbError::Corrupt { what: "name of a column", found: format!("{table}.{name}") });
        }
        let kind = match kind.to_ascii_uppercase().as_str() {
            "BLOB" | "BYTEA" => Kind::Bytes,
            "INTEGER" | "BIGINT" | "SMALLINT" => Kind::Integer,
            _ => Kind::Text,
        };
        Ok(Column { name, kind })
    };
    rows.into_iter().map(column).collect()
}

/// All rows of a table, each a JSON object in one line.
pub(crate) fn rows<'c>(c: &'c mut Connection, table: &Table) -> impl Stream<Item = DbResult<String>> + Send + 'c {
    let postgres = c.is_postgres();
    let member = |column: &Column| {
        let name = &column.name;
        match (column.kind, postgres) {
            (Kind::Bytes, true) => format!("'{name}', encode(\"{name}\", 'hex')"),
            (Kind::Bytes, false) => {
                format!("'{name}', CASE WHEN \"{name}\" IS NULL THEN NULL ELSE lower(hex(\"{name}\")) END")
            }
            (Kind::Integer | Kind::Text, _) => format!("'{name}', \"{name}\""),
        }
    };
    let members: Vec<String> = table.columns.iter().map(member).collect();
    let object = if postgres { "json_build_object" } else { "json_object" };
    let first = table.columns.first().map_or("1", |c| c.name.as_str());
    let (members, name) = (members.join(", "), &table.name);
    let sql = format!("SELECT CAST({object}({members}) AS TEXT) FROM \"{name}\" ORDER BY \"{first}\"");
    // Names were checked to be plain.
    rows!(c => sqlx::query_scalar(AssertSqlSafe(sql)).fetch(c)).map(|row| row.map_err(DbError::from))
}

/// Puts rows back: `rows` is a JSON array of what [`rows`] gave; `columns` those that it has. Rows that are
/// there already stay.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn insert(c: &mut Connection, table: &Table, columns: &[String], rows: &str) -> DbResult<u64> {
    let postgres = c.is_postgres();
    let known: Vec<&Column> = table.columns.iter().filter(|c| columns.contains(&c.name)).collect();
    let value = |column: &&Column| {
        let name = &column.name;
        match (column.kind, postgres) {
            (Kind::Bytes, true) => format!("decode(r.j->>'{name}', 'hex')"),
            (Kind::Integer, true) => format!("CAST(r.j->>'{name}' AS BIGINT)"),
            (Kind::Text, true) => format!("r.j->>'{name}'"),
            (Kind::Bytes, false) => format!("unhex(json_extract(value, '$.{name}'))"),
            (Kind::Integer | Kind::Text, false) => format!("json_extract(value, '$.{name}')"),
        }
    };
    let values: Vec<String> = known.iter().map(value).collect();
    let names: Vec<String> = known.iter().map(|c| format!("\"{}\"", c.name)).collect();
    let from = if postgres { "json_array_elements(CAST($1 AS JSON)) AS r(j)" } else { "json_each($1)" };
    let (name, names, values) = (&table.name, names.join(", "), values.join(", "));
    let sql = format!("INSERT INTO \"{name}\" ({names}) SELECT {values} FROM {from} WHERE true ON CONFLICT DO NOTHING");
    Ok(execute!(c => sqlx::query(AssertSqlSafe(sql.as_str())).bind(rows))?)
}

/// Lets new rows be numbered after those that were put back.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn number_on(c: &mut Connection, table: &Table) -> DbResult<()> {
    // SQLite does it by itself.
    if !c.is_postgres() {
        return Ok(());
    }
    let sql = "SELECT CAST(column_name AS TEXT) FROM information_schema.columns \
               WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'YES'";
    let numbered: Vec<String> = on!(c => sqlx::query_scalar(sql).bind(&table.name).fetch_all(c).await)?;
    for column in numbered {
        let name = &table.name;
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('\"{name}\"', '{column}'), max(\"{column}\")) FROM \"{name}\" \
             HAVING max(\"{column}\") IS NOT NULL"
        );
        execute!(c => sqlx::query(AssertSqlSafe(sql.as_str())))?;
    }
    Ok(())
}

/// Number of rows of a table.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn count(c: &mut Connection, table: &Table) -> DbResult<i64> {
    let sql = format!("SELECT count(*) FROM \"{}\"", table.name);
    Ok(on!(c => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(c).await)?)
}
