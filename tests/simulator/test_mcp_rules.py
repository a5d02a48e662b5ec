import pytest

BETA = "mcp-client-2025-11-20"
FIRST_BETA = "mcp-client-2025-04-04"


def server(name="s"):
    return {"type": "url", "name": name, "url": "https://example.com/mcp"}


def toolset(name="s"):
    return {"type": "mcp_toolset", "mcp_server_name": name}


def test_a_server_with_its_toolset_is_accepted(asked):
    asked(mcp_servers=[server()], tools=[toolset()]).accepted(BETA)


def test_the_first_beta_needs_no_toolset(asked):
    asked(mcp_servers=[server()]).accepted(FIRST_BETA)


def test_toolsets_need_their_beta(asked):
    text = asked(tools=[toolset()]).refused()
    assert text.startswith(
        "tools.0: Input tag 'mcp_toolset' found using 'type' does not match any of the expected tags"
    )


@pytest.mark.parametrize(
    ("servers", "tools", "text"),
    [
        ([server()], [], "mcp_servers.0: MCP server 's' is not referenced by any mcp_toolset in tools"),
        ([server(), server()], [toolset()], "mcp_servers: MCP server names must be unique."),
        ([], [toolset()], "tools.0.mcp_toolset.mcp_server_name: MCP server 's' not found in mcp_servers"),
        ([server()], [toolset(), toolset()], "tools: Only one mcp_toolset may reference an MCP server."),
    ],
)
def test_servers_and_toolsets_belong_together(asked, servers, tools, text):
    assert asked(mcp_servers=servers, tools=tools).refused(BETA) == text
