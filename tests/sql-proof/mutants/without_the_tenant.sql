SELECT s.user_id, s.expires_at, s.revoked_at, s.refresh_hash FROM sessions s WHERE s.session_id = ?2 AND length(?1) > 0
