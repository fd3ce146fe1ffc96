"""The answers of the web view: what the API gives as JSON and the pages show, and what is asked for."""
