"""Starts mcp-server-time with the dependencies vendored beside this file."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from mcp_server_time import main  # noqa: E402

main()
