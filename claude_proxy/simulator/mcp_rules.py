"""Rules for MCP servers and their toolsets. (The error texts are ours.)"""

from claude_proxy.simulator.api_error import invalid
from claude_proxy.simulator.valid_request import Request

# Under this beta a server brings its own tool configuration and needs no toolset.
_WITHOUT_TOOLSETS = "mcp-client-2025-04-04"


def check(request: Request) -> None:
    """Every toolset names a server of the request, and every server is named by exactly one toolset."""
    servers = [server["name"] for server in request.body.get("mcp_servers") or []]
    toolsets = [
        (index, tool["mcp_server_name"])
        for index, tool in enumerate(request.tools)
        if tool.get("type") == "mcp_toolset"
    ]
    if len(servers) != len(set(servers)):
        raise invalid("mcp_servers: MCP server names must be unique.")
    for index, name in toolsets:
        if name not in servers:
            raise invalid(f"tools.{index}.mcp_toolset.mcp_server_name: MCP server '{name}' not found in mcp_servers")
    named = [name for _, name in toolsets]
    if len(named) != len(set(named)):
        raise invalid("tools: Only one mcp_toolset may reference an MCP server.")
    if _WITHOUT_TOOLSETS in request.betas:
        return
    for index, name in enumerate(servers):
        if name not in named:
            raise invalid(f"mcp_servers.{index}: MCP server '{name}' is not referenced by any mcp_toolset in tools")
