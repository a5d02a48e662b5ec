from claude_proxy.credentials.claude_cli_keyrings import ClaudeCliFileKeyring, ClaudeCliKeychain
from claude_proxy.credentials.claude_cli_stores import KEYCHAIN_TTL, claude_cli_stores, store_ttl


def test_a_mac_has_two_stores_and_others_one(claude_cli):
    assert [type(each) for each in claude_cli_stores(claude_cli.paths, "darwin")] == [
        ClaudeCliKeychain,
        ClaudeCliFileKeyring,
    ]
    assert [type(each) for each in claude_cli_stores(claude_cli.paths, "linux")] == [ClaudeCliFileKeyring]


def test_what_a_keychain_answers_holds_for_a_while_and_what_a_file_says_until_it_changes():
    assert store_ttl("darwin") == KEYCHAIN_TTL
    assert store_ttl("linux") is None
