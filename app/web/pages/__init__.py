"""The web view's pages: the answers that the API gives as JSON, as HTML complete without JavaScript."""
