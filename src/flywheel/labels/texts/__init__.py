"""What texts are about, how their writers feel, and which phrases rise."""
