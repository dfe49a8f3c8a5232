"""Talks to a server with the Python SDK: client.py TOOL ARGUMENTS-JSON COMMAND ARGS..."""

import asyncio
import json
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main():
    tool, arguments, command, *args = sys.argv[1:]
    server = StdioServerParameters(command=command, args=args, env=dict(os.environ))
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = await session.list_tools()
        answer = await session.call_tool(tool, json.loads(arguments))
        print(json.dumps({"tools": [t.name for t in tools.tools], "answer": answer.model_dump(mode="json")}))


asyncio.run(main())
