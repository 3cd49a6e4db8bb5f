"""Where operations are applied: one protocol, three stores."""
