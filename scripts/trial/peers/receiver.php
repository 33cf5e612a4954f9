<?php
// A receiver as PHP's users write it. SECRET is in the environment.
$body = file_get_contents('php://input');
$good = hash_equals('sha256=' . hash_hmac('sha256', $body, getenv('SECRET')), $_SERVER['HTTP_X_HUB_SIGNATURE_256'] ?? '');
$text = json_decode($body, true)['agent'];
file_put_contents('php://stdout', json_encode(['id' => $_SERVER['HTTP_WEBHOOK_ID'], 'text' => $text, 'good' => $good]) . "\n");
echo 'ok';
