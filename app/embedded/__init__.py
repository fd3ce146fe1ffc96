"""What a first try needs: an embedded broker, sample events, the demo."""
