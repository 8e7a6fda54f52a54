"""The one database: tables, migrations, transactions."""
