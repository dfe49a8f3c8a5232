//! Calls and texts of databases.

/// Methods that run queries, whatever they are called on: databases come from too many places to be named.
pub fn is_query(name: &str) -> bool {
    runs_whole_queries(name)
        || matches!(
            name,
            "raw"
                | "prepare"
                | "prepareStatement"
                | "fetch"
                | "fetchall"
                | "fetchone"
                | "fetchrow"
                | "fetchval"
                | "fetch_all"
                | "fetch_one"
                | "fetch_val"
                | "execute_fetchall"
                | "execute_insert"
                | "executeMultiple"
                | "sql"
                | "all"
                | "get"
                | "each"
                | "iterate"
                | "run"
                | "exec"
                | "pragma"
                | "unsafe"
                | "one"
                | "oneOrNone"
                | "many"
                | "manyOrNone"
                | "none"
                | "any"
                | "result"
                | "cursor"
                | "batch"
                | "command"
                | "extra"
                | "createQueryJob"
                | "createQueryStream"
                | "query_df"
                | "query_arrow"
                | "query_np"
                | "queryObject"
                | "queryArray"
                | "setQuery"
                | "executeSql"
                | "execute_sql"
                | "execute_async"
                | "execute_string"
                | "stream"
                | "submit"
                | "scalars"
                | "scalar"
                | "select"
                | "simple"
        )
}

/// Members and keywords that hold a statement.
pub const STATEMENTS: [&str; 10] =
    ["sql", "text", "query", "sqlText", "statement", "queryString", "cypher", "operation", "stmt", "QueryString"];

/// Whether a text is the begin of a statement of SQL or of a like language.
pub fn is_statement(text: &str) -> bool {
    let text = text.trim_start().trim_start_matches('(');
    // Flux, Gremlin, AQL.
    if ["from(bucket", "g.V(", "g.E(", "g.addV(", "FOR "].iter().any(|begin| text.starts_with(begin)) {
        return !text.starts_with("FOR ") || text.contains(" IN ");
    }
    let first: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    let rest = &text[first.len()..];
    // `Create a summary of …` is a sentence.
    let one_case = first.chars().all(|c| c.is_ascii_uppercase()) || first.chars().all(|c| c.is_ascii_lowercase());
    one_case
        && matches!(
            first.to_ascii_uppercase().as_str(),
            "SELECT"
                | "INSERT"
                | "UPDATE"
                | "DELETE"
                | "CREATE"
                | "DROP"
                | "ALTER"
                | "REPLACE"
                | "MERGE"
                | "WITH"
                | "PRAGMA"
                | "TRUNCATE"
                | "EXPLAIN"
                | "DESCRIBE"
                | "SHOW"
                | "CALL"
                | "GRANT"
                | "ATTACH"
                | "COPY"
                | "USE"
                | "MATCH"
                | "VACUUM"
                | "ANALYZE"
                | "SET"
                | "DETACH"
                | "OPTIONAL"
                | "UNWIND"
                | "FOREACH"
                | "REINDEX"
                | "REFRESH"
                | "REVOKE"
                | "DECLARE"
                | "EXEC"
                | "EXECUTE"
                | "UPSERT"
                | "OPTIMIZE"
                | "LOCK"
                | "INSTALL"
                | "VALUES"
                | "CONSTRUCT"
                | "ASK"
                | "PREFIX"
        )
        && rest.starts_with([' ', '\n', '\t', '(', '*'])
}

/// Parameters that hold a whole query, as their name says: to run it is what the tool is for.
pub fn names_a_query(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["sql", "query", "statement", "stmt", "cypher", "kql", "command", "script", "expression"]
        .iter()
        .any(|word| name.contains(word))
}

/// Methods that only run queries, whatever they are called on.
pub fn runs_whole_queries(name: &str) -> bool {
    matches!(
        name,
        "execute"
            | "executemany"
            | "executescript"
            | "execute_query"
            | "executeQuery"
            | "query"
            | "queryRaw"
            | "$queryRawUnsafe"
            | "$executeRawUnsafe"
            | "exec_driver_sql"
            | "queryRawUnsafe"
            | "executeRawUnsafe"
            | "query_and_wait"
            | "read_sql"
            | "read_sql_query"
            | "read_database"
            | "read_database_uri"
    )
}

/// Methods that take a filter of a directory, or a path into a document, beside other things.
pub fn is_filter_search(name: &str) -> bool {
    matches!(
        name,
        "search"
            | "search_s"
            | "search_st"
            | "search_ext"
            | "search_ext_s"
            | "paged_search"
            | "searchAsync"
            | "xpath"
            | "select"
            | "select1"
            | "evaluate"
    )
}

/// Whether a text is the begin of a filter of LDAP (`(&(uid=`, `(cn=`) or of a path of XPath with a condition in it.
pub fn is_filter(text: &str) -> bool {
    let text = text.trim_start();
    let condition = text.strip_prefix('(').is_some_and(|rest| {
        let nested = rest.strip_prefix(['&', '|', '!']).is_some_and(|rest| rest.trim_start().starts_with('('));
        let name =
            rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ';' | ':'));
        nested || name.len() < rest.len() && name.starts_with(['=', '~', '<', '>'])
    });
    let path = (text.starts_with('/') || text.starts_with("./")) && text.contains('[') && text.contains(['=', '(']);
    condition || path
}

/// Whether a method of a query builder is given a condition that is written out (`where("u.name = '…`), by its begin.
pub fn is_condition(name: &str, begin: Option<&str>) -> bool {
    let Some(begin) = begin else { return false };
    match name {
        "where" | "andWhere" | "orWhere" | "having" | "andHaving" | "orHaving" => {
            let compares = ["=", "<", ">", " LIKE ", " like ", " ILIKE ", " ilike ", " IN ", " in ", " BETWEEN "];
            compares.iter().any(|sign| begin.contains(sign)) && !begin.contains("=>")
        }
        // Filters of PostgREST, in which a comma begins another one.
        "or" => [".eq.", ".ilike.", ".like.", ".neq.", ".cs.", ".fts."].iter().any(|sign| begin.contains(sign)),
        _ => false,
    }
}

/// Methods that put their first text into a query as it is: of query builders.
pub fn is_fragment(path: &str, name: &str) -> bool {
    matches!(
        name,
        "whereRaw"
            | "orWhereRaw"
            | "andWhereRaw"
            | "havingRaw"
            | "orHavingRaw"
            | "andHavingRaw"
            | "orderByRaw"
            | "groupByRaw"
            | "joinRaw"
            | "fromRaw"
            | "selectRaw"
    ) || matches!(
        path,
        "sequelize.literal"
            | "sequelize.Sequelize.literal"
            | "sqlalchemy.text"
            | "sqlalchemy.sql.text"
            | "sqlalchemy.literal_column"
            | "sqlalchemy.sql.expression.text"
            | "django.db.models.expressions.RawSQL"
            | "@prisma/client.Prisma.raw"
            | "@prisma.client.Prisma.raw"
            | "drizzle-orm.sql.raw"
    )
}
