//! The PostgreSQL of the tests.

use std::sync::Arc;

use mpak_testkit::postgres::{Database, Server};

#[test]
fn databases_are_apart_and_empty() {
    let (one, two) = (Database::create(), Database::create());
    one.execute("CREATE TABLE t (x BIGINT); INSERT INTO t VALUES (1), (2)");
    assert_eq!(one.number("SELECT count(*) FROM t"), 2);
    assert_eq!(one.content()["t"], "(1)\n(2)");
    assert!(two.content().is_empty());
}

#[tokio::test]
async fn it_works_inside_a_runtime() {
    let database = Database::create();
    assert_eq!(database.number("SELECT count(*) FROM pg_database WHERE datname = current_database()"), 1);
}

#[test]
fn a_server_goes_on_where_it_stopped_and_leaves_nothing_behind() {
    let server = Arc::new(Server::start());
    let folder = server.folder().to_owned();
    let database = Database::create_on(&server);
    database.execute("CREATE TABLE t (x BIGINT)");
    server.stop();
    assert!(server.go_on());
    assert_eq!(database.number("SELECT count(*) FROM t"), 0);
    drop(database);
    assert!(folder.exists());
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn text_may_be_ordered_as_people_do() {
    let sql = "SELECT count(*) FROM (SELECT 1 WHERE 'a' < 'B') AS t";
    assert_eq!(Database::create().number(sql), 0);
    assert_eq!(Database::create_with_people_order().number(sql), 1);
}
