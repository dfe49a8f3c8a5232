//! `mpak example-server` as an MCP client meets it.

use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::TokioChildProcess;

use crate::world::World;

#[tokio::test]
async fn the_example_server_answers_a_real_client() {
    let world = World::new().with("EXAMPLE_GREETING", "hello");
    let command = tokio::process::Command::from(world.command(&["example-server"]));
    let client = ().serve(TokioChildProcess::new(command).expect("it starts")).await.expect("it initializes");
    let tools = client.list_all_tools().await.expect("it lists tools");
    let mut names: Vec<_> = tools.iter().map(|t| t.name.to_string()).collect();
    names.sort();
    assert_eq!(names, ["add", "echo", "sha256"]);
    let arguments = serde_json::json!({"text": "world"}).as_object().cloned().expect("an object");
    let answer =
        client.call_tool(CallToolRequestParams::new("echo").with_arguments(arguments)).await.expect("it answers");
    assert!(serde_json::to_string(&answer).expect("json").contains("hello world"));
    client.cancel().await.expect("it ends");
}

#[test]
fn the_example_server_ends_with_its_input() {
    World::new().mpak(&["example-server"]).ok();
}
