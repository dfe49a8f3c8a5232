"""Starts mcp-server-time in the environment that uv keeps."""
from mcp_server_time import main

main()
