"""Who answers a Messages request."""
