"""`python -m claude_proxy` is `claude-proxy`."""

from claude_proxy.cli.main import main

if __name__ == "__main__":
    main()
